"""From files to nodes and relationships: cleaning with its counts, and all faults of a set-up at once."""

import collections
import json
import textwrap

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gds_pipelines import ingest
from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest import mapping
from gds_pipelines.ingest.plan import assign, candidates, make_plan

SHOP = {
    "nodes": {"User": {"key": "id"}, "Item": {"key": "id"}, "Tag": {"key": "name"}},
    "tables": {
        "items": {
            "optional": True,
            "nodes": [
                {
                    "label": "Item",
                    "key": "item",
                    "properties": {"title": "title", "price": {"column": "price", "type": "float"}},
                }
            ],
            "relationships": [
                {
                    "type": "TAGGED",
                    "from": {"label": "Item", "column": "item"},
                    "to": {"label": "Tag", "column": "tags", "separator": "|"},
                }
            ],
        },
        "events": {
            "relationships": [
                {
                    "type": {"column": "kind", "values": {"view": "VIEW", "buy": "BUY", "ping": None}},
                    "from": {"label": "User", "column": "user"},
                    "to": {"label": "Item", "column": "item"},
                    "time": {"column": "at", "unit": "s"},
                    "properties": {"amount": {"column": "amount", "type": "integer"}},
                }
            ],
        },
    },
}
EVENTS = "user,item,kind,at,amount\n"


def planned(tmp_path, **texts) -> ingest.Plan:
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(textwrap.dedent(text))
    return ingest.plan_paths([tmp_path], mapping.parse(SHOP, "mapping"))


def events(plan: ingest.Plan) -> dict[str, list[tuple]]:
    """type -> rows of (source key, target key, properties)."""
    found = {}
    for one in plan.relationships:
        sources = plan.nodes[one.source_label].keys.take(pa.array(one.source)).to_pylist()
        targets = plan.nodes[one.target_label].keys.take(pa.array(one.target)).to_pylist()
        values = zip(*(column.to_pylist() for column in one.properties.values()), strict=True)
        rows = zip(sources, targets, values if one.properties else [()] * len(sources), strict=True)
        found[one.type] = sorted(rows, key=repr)
    return found


def test_rows_become_typed_relationships_and_nodes(tmp_path):
    plan = planned(
        tmp_path,
        items="item,title,price,tags\n1,Lamp,9.5,oak|new\n2,Rug,,\n3,Vase,1,new\n",
        events=EVENTS + "7,1,view,5,1\n7,1,buy,6,\n8,2,view,,2\n9,1,ping,7,1\n",
    )
    assert events(plan) == {
        "TAGGED": [(1, "new", ()), (1, "oak", ()), (3, "new", ())],
        "VIEW": [(7, 1, (5000, 1)), (8, 2, (None, 2))],
        "BUY": [(7, 1, (6000, None))],
    }
    assert {label: one.keys.to_pylist() for label, one in plan.nodes.items()} == {
        "User": [7, 8],
        "Item": [1, 2, 3],
        "Tag": ["new", "oak"],
    }
    assert plan.nodes["Item"].properties["price"].to_pylist() == [9.5, None, 1.0]
    events_report = plan.report.files[1]
    assert (events_report.rows, events_report.loaded, dict(events_report.left_out)) == (
        4,
        4,
        {"kind 'ping'": 1},
    )
    assert events_report.missing == {"at": 1, "amount": 1}


def test_broken_rows_are_counted_and_named_and_the_rest_is_loaded(tmp_path):
    plan = planned(
        tmp_path,
        events=EVENTS
        + "1,1,view,5,1\n2,2\n3,3,view,soon,1\n4,4,veiw,5,1\n"
        + "5,,view,5,1\n6,6,,5,1\n7,7,view,5,1.5\n8,8,buy,5,1\n",
    )
    report = plan.report.files[0]
    assert (report.rows, report.loaded) == (8, 2)
    assert report.dropped == {
        "broken lines": 1,
        "at not a time in seconds": 1,
        "kind without a type": 2,
        "without user or item": 1,
        "amount not an integer": 1,
    }
    assert [line for line, _ in report.examples] == [3, 5, 7, 4, 8]
    assert (
        dict(report.examples)[5]
        == "'veiw' in kind has no relationship type in the mapping. Did you mean 'view'?"
    )
    # A dropped row leaves nothing behind, no node either.
    assert plan.nodes["User"].keys.to_pylist() == [1, 8]


def test_an_event_told_twice_is_one_and_the_last_row_wins(tmp_path):
    plan = planned(
        tmp_path,
        events=EVENTS + "1,1,view,5,1\n1,1,view,5,1\n1,1,view,5,2\n1,1,view,6,1\n1,1,view,,1\n1,1,view,,3\n",
    )
    assert events(plan)["VIEW"] == [(1, 1, (5000, 2)), (1, 1, (6000, 1)), (1, 1, (None, 3))]
    report = plan.report.relationships[0]
    assert (report.found, report.duplicates, report.replaced, report.without_time) == (3, 3, 2, 1)
    assert (report.earliest, report.latest) == (5000, 6000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.integers(1, 3),
            st.sampled_from(["view", "buy"]),
            st.none() | st.integers(0, 2),
            st.integers(0, 9),
        ),
        min_size=1,
    )
)
def test_the_kept_events_are_those_of_a_dictionary(rows):
    """The slow exact version: a dictionary by (user, item, kind, time), later rows over earlier ones."""
    table = pa.table(
        {
            name: pa.array(values, kind)
            for (name, kind), values in zip(
                {"user": None, "item": None, "kind": None, "at": pa.int64(), "amount": None}.items(),
                zip(*rows, strict=True),
                strict=True,
            )
        }
    )
    plan = make_plan({"events": [table]}, mapping.parse(SHOP, "mapping"))
    wanted = collections.defaultdict(list)
    latest = {(user, item, kind, at): amount for user, item, kind, at, amount in rows}
    for (user, item, kind, at), amount in latest.items():
        wanted[kind.upper()].append((user, item, (None if at is None else at * 1000, amount)))
    assert events(plan) == {kind: sorted(found, key=repr) for kind, found in wanted.items()}


def test_a_node_told_several_times_keeps_the_last_value_that_is_there(tmp_path):
    plan = planned(
        tmp_path,
        items="item,title,price,tags\n1,Lamp,9,\n1,,8,\n2,Rug,1,\n1,Lantern,,\n",
        events=EVENTS + "1,1,view,5,1\n",
    )
    item = plan.nodes["Item"]
    assert [column.to_pylist() for column in item.properties.values()] == [["Lantern", "Rug"], [8.0, 1.0]]
    assert (item.report.described, item.report.repeated, item.report.replaced) == (2, 2, 2)


def test_keys_are_numbers_only_if_all_files_agree(tmp_path):
    plan = planned(
        tmp_path,
        items="item,title,price,tags\nx9,Lamp,9,\n",
        events=EVENTS + "1,1,view,5,1\n2,007,view,5,1\n",
    )
    assert plan.nodes["User"].keys.to_pylist() == [1, 2]
    assert plan.nodes["Item"].keys.to_pylist() == ["007", "1", "x9"]


def test_positions_count_from_zero_per_source_in_file_order(tmp_path):
    (tmp_path / "s.txt").write_text("5 30\n4 10\n5 10\n5 20\n")
    plan = ingest.plan_paths([tmp_path])
    assert events(plan)["INTERACTED"] == [(4, 10, (0,)), (5, 10, (1,)), (5, 20, (2,)), (5, 30, (0,))]


def test_types_taken_from_values_are_made_into_names(tmp_path):
    (tmp_path / "x.kg").write_text(
        "head_id:token\trelation_id:token\ttail_id:token\na\tfilm.actor\tb\na\t9\tb\n"
    )
    plan = ingest.plan_paths([tmp_path])
    assert events(plan) == {"FILM_ACTOR": [("a", "b", ())]}
    assert plan.report.files[0].dropped == {"relation_id without a type": 1}


def test_all_faults_of_a_set_up_come_at_once(tmp_path):
    (tmp_path / "items.csv").write_text("itme,title,prize,tags\n1,Lamp,9,\n")
    (tmp_path / "events.csv").write_text("user,item,kind,time,amount\n1,1,view,5,1\n")
    with pytest.raises(InvalidInput) as caught:
        ingest.plan_paths([tmp_path], mapping.parse(SHOP, "mapping"))
    assert [fault.split(" It has")[0] for fault in caught.value.faults] == [
        "items.csv has no column 'item' (the key of Item). Did you mean 'itme'?",
        "items.csv has no column 'price' (Item.price). Did you mean 'prize'?",
        "events.csv has no column 'at' (the time at).",
    ]


def test_one_odd_key_that_makes_text_of_all_is_said(tmp_path):
    lines = [f"{user},7,view,5,1" for user in [*range(1, 20), "x9"]]
    plan = planned(tmp_path, events="\n".join(["user,item,kind,at,amount", *lines]))
    (note,) = (one for one in plan.report.notes if "stored as text" in one)
    assert note.startswith("The keys of :User are stored as text: 1 of 20 is no integer")
    assert "'x9' in user, events.csv line 21" in note
    assert plan.nodes["User"].keys.type == pa.string()
    assert plan.nodes["Item"].keys.type == pa.int64()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (EVENTS, "events.csv has no rows"),
        (
            EVENTS + "1;1;view;5;1\n",
            "not one of the 1 rows of events.csv can be loaded; line 2: 1 columns, expected 5",
        ),
        (EVENTS + "1,1,see,5,1\n", "'see' in kind has no relationship type"),
    ],
)
def test_a_file_of_which_nothing_can_be_loaded_is_a_fault(tmp_path, text, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        planned(tmp_path, events=text)


def test_paths_that_are_not_there_and_tables_without_files_are_named(tmp_path):
    (tmp_path / "event.csv").write_text(EVENTS)
    with pytest.raises(InvalidInput, match=r"evnt\.csv does not exist\. Did you mean 'event\.csv'"):
        candidates([tmp_path / "evnt.csv"])
    with pytest.raises(InvalidInput, match=r"no file for the table 'events' \(events\.\* or events\)"):
        assign(candidates([tmp_path]), mapping.parse(SHOP, "mapping"))


def test_a_file_packed_and_unpacked_is_read_once_and_others_are_noted(tmp_path):
    (tmp_path / "events.csv.gz").write_bytes(b"not even gzip")
    (tmp_path / "other.csv").write_text("a\n")
    plan = planned(tmp_path, events=EVENTS + "1,1,view,5,1\n")
    assert plan.report.files[0].rows == 1
    assert "Not read: other.csv." in plan.report.notes


@pytest.mark.parametrize(
    ("at", "note"),
    [("978300760", "lie in 1970"), ("9783007600000", "lie after 2100"), ("978300760000", None)],
)
def test_times_in_the_wrong_unit_are_noticed(at, note):
    raw = json.loads(json.dumps(SHOP))
    raw["tables"]["events"]["relationships"][0]["time"]["unit"] = "ms"
    table = pa.table({"user": [1], "item": [1], "kind": ["view"], "at": [int(at)], "amount": [1]})
    notes = make_plan({"events": [table]}, mapping.parse(raw, "mapping")).report.notes
    assert len(notes) == (note is not None)
    assert not notes or note in notes[0]


def test_the_report_is_a_table_for_people_and_json_for_machines(tmp_path):
    report = planned(tmp_path, events=EVENTS + "1,1,view,5,1\n2,2\n3,3,buy,,1\n").report
    console = Console(width=100, record=True, file=open(tmp_path / "out", "w"))  # noqa: SIM115
    console.print(report)
    text = console.export_text()
    assert "events.csv:3  2 columns, expected 5: 2 | 2" in text
    assert "User → Item" in text
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["files"][0]["dropped"] == {"broken lines": 1}
    assert plain["relationships"][1] == plain["relationships"][1] | {
        "type": "BUY",
        "found": 1,
        "withoutTime": 1,
    }
