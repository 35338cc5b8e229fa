"""Mappings: what they accept, and that all their faults come at once, each with what was meant."""

from pathlib import Path

import pytest

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.ingest import detection, mapping

GOOD = {
    "nodes": {"User": {"key": "id"}, "Item": {"key": "id"}},
    "tables": {
        "events": {
            "relationships": [
                {
                    "type": {"column": "kind", "values": {"view": "VIEW", "ping": None}},
                    "from": {"label": "User", "column": "user"},
                    "to": {"label": "Item", "column": "item"},
                    "time": {"column": "at", "unit": "s"},
                }
            ]
        }
    },
}
HOME = Path(mapping.__file__).parent / "mappings"


def changed(**events) -> dict:
    relationship = GOOD["tables"]["events"]["relationships"][0] | events
    return GOOD | {"tables": {"events": {"relationships": [relationship]}}}


@pytest.mark.parametrize("name", sorted(file.stem for file in HOME.glob("*.yml")))
def test_every_shipped_mapping_is_one(name):
    assert mapping.shipped(name).tables


def test_an_unknown_shipped_mapping_is_suggested():
    with pytest.raises(UnknownName, match="Did you mean 'taobao'"):
        mapping.shipped("taoboa")


def test_all_faults_come_at_once_with_what_was_meant():
    raw = {
        "nodes": {"User": {"key": "i d"}, "Item": {"key": "id", "typ": "integer"}},
        "tables": {
            "events": {
                "delimeter": ";",
                "encoding": "utf-9",
                "relationships": [
                    {
                        "type": "VIEW",
                        "from": {"label": "User", "colum": "user"},
                        "to": {"label": "Item", "column": "item"},
                        "time": {"column": "at", "unit": "sec"},
                        "properties": {
                            "year": {"column": "t", "pattern": "(a)(b)"},
                            "p": {"column": "p", "typ": "x"},
                        },
                    }
                ],
            }
        },
    }
    with pytest.raises(InvalidInput) as caught:
        mapping.parse(raw, "mapping m.yml")
    text = str(caught.value)
    for expected in (
        "nodes.User.key: 'i d' is not a name",
        "nodes.Item.typ: unknown key. Did you mean 'type'?",
        "tables.events.delimeter: unknown key. Did you mean 'delimiter'?",
        "tables.events.encoding: 'utf-9' is not a text encoding",
        "from.colum: unknown key. Did you mean 'column'?",
        "from.column: is not given",
        "time.unit: Input should be 's', 'ms'",
        "properties.year.pattern: '(a)(b)' has 2 groups",
        "properties.p.typ: unknown key. Did you mean 'type'?",
    ):
        assert expected in text
    assert len(caught.value.faults) == 9


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            changed(to={"label": "Itme", "column": "item"}),
            "label 'Itme' is not under nodes. Did you mean 'Item'",
        ),
        (changed(identity=["att"]), "identity: no property 'att'. Did you mean 'at'"),
        (changed(type={"column": "kind"}), "give values, atLeast, asIs or otherwise"),
        (changed(properties={"at": "x"}), "need different names"),
        (GOOD | {"tables": {"t": {"file": "x"}}}, "makes neither nodes nor relationships"),
        (
            GOOD
            | {"tables": {"t": {"columns": ["user", "itme"], "nodes": [{"label": "Item", "key": "item"}]}}},
            "no column 'item' for the key of Item. Did you mean 'itme'",
        ),
        (
            GOOD | {"tables": {"t": {"nodes": [{"label": "Item", "key": "i", "properties": {"id": "x"}}]}}},
            "'id' is the key already",
        ),
        (["nodes"], "a map with 'nodes' and 'tables' is needed, found list"),
    ],
)
def test_contradictions_are_found(raw, sentence):
    with pytest.raises(InvalidInput, match="not usable") as caught:
        mapping.parse(raw, "mapping")
    assert sentence in str(caught.value)


def test_yaml_and_toml_say_the_same(tmp_path):
    yaml, toml = tmp_path / "m.yml", tmp_path / "m.toml"
    yaml.write_text(detection.EXAMPLE)
    toml.write_text(
        """
        nodes.User = {key = "id"}
        nodes.Item = {key = "id"}
        [tables.events]
        file = "events.csv"
        [[tables.events.relationships]]
        type = {column = "kind", values = {view = "VIEW", buy = "BUY"}}
        from = {label = "User", column = "user"}
        to = {label = "Item", column = "item"}
        time = {column = "time", unit = "s"}
        """
    )
    assert mapping.read(yaml) == mapping.read(toml)


def test_yaml_numbers_and_truth_values_are_the_texts_of_the_cells():
    raw = changed(type={"column": "kind", "values": {1: "ONE", False: "NO"}})
    rule = mapping.parse(raw, "mapping").tables["events"].relationships[0].type
    assert rule.values == {"1": "ONE", "false": "NO"}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("m.yml", "nodes: [", "is not YAML"),
        ("m.toml", "nodes = ", "is not TOML"),
        ("gone.yml", None, "No such file"),
    ],
)
def test_a_file_that_is_no_mapping_says_why(tmp_path, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=sentence):
        mapping.read(tmp_path / name)


FILES = {
    "movielens-dat": {"ratings.dat": "1::2::5::3\n", "movies.dat": "2::A (2000)::X\n"},
    "movielens-csv": {
        "ratings.csv": "userId,movieId,rating,timestamp\n",
        "movies.csv": "movieId,title,genres\n",
    },
    "hetrec-lastfm": {"user_artists.dat": "userID\tartistID\tweight\n"},
    "deskdrop": {"interactions.csv": "timestamp,eventType,personId,contentId,sessionId\n"},
    "taobao": {"events.csv": "userId,itemId,categoryId,behavior,timestamp\n"},
    "lightgcn": {"train.txt": "0 1 2 3\n1 2\n", "test.txt": "0 4\n"},
    "sasrec": {"Video.txt": "1 2\n1 3\n2 2\n", "README.txt": "words\n"},
    "recbole": {"x.inter": "user_id:token\titem_id:token\n"},
}


@pytest.mark.parametrize("name", FILES)
def test_known_files_need_no_mapping(tmp_path, name):
    for file, text in FILES[name].items():
        (tmp_path / file).write_text(text)
    found, seen = detection.detect(sorted(tmp_path.iterdir()))
    assert seen == name
    assert name == "recbole" or found == mapping.shipped(name)


def test_unknown_files_are_named_and_an_example_is_given(tmp_path):
    (tmp_path / "orders.csv").write_text("a,b\n")
    with pytest.raises(InvalidInput, match=r"found orders\.csv; .*\n.*nodes:"):
        detection.detect([tmp_path / "orders.csv"])


def test_the_example_in_that_sentence_works(tmp_path):
    file = tmp_path / "m.yml"
    file.write_text(detection.EXAMPLE)
    assert set(mapping.read(file).nodes) == {"User", "Item"}


def test_recbole_columns_become_properties_by_their_types(tmp_path):
    item = tmp_path / "x.item"
    item.write_text("item_id:token\tmovie_title:token_seq\tprice:float\tvector:float_seq\n")
    inter = tmp_path / "x.inter"
    inter.write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
    made = detection.recbole({"x.item": item, "x.inter": inter})
    described = made.tables["x.item"].nodes[0]
    assert (described.label, described.key) == ("Item", "item_id")
    assert {name: (spec.type, spec.separator) for name, spec in described.properties.items()} == {
        "movieTitle": ("string", " "),
        "price": ("float", None),
        "vector": ("float", " "),
    }
    event = made.tables["x.inter"].relationships[0]
    assert (event.type, event.time.column, list(event.properties)) == ("INTERACTED", "timestamp", ["rating"])
