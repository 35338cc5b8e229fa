import json
import pickle

import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.task import Task, duration_millis

FULL = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "FAVOURITE": 0.5, "VIEW": {"weight": 0.1}},
    "timeProperty": "at",
    "horizon": "P30D",
    "seen": ["BUY"],
    "eventKey": ["source", "type", "target", "at"],
    "alsoLabels": ["Category"],
    "alsoTypes": ["IN_CATEGORY"],
    "features": {"Item": ["price", "category"], "User": ["age"]},
}
SMALL = {"recommend": "Item", "to": "User", "key": {"User": "id", "Item": "id"}, "via": {"BUY": 1}}


def test_defaults_are_completed_and_the_map_comes_back_the_same():
    completed = Task.from_mapping(SMALL).to_mapping()
    assert completed["via"] == {"BUY": {"weight": 1.0, "direction": "out"}}
    assert completed["seen"] == ["BUY"]
    assert completed["eventKey"] == ["source", "type", "target"]
    assert completed["timeProperty"] is None
    assert Task.from_mapping(completed).to_mapping() == completed
    assert Task.from_mapping(completed) == Task.from_mapping(SMALL)


def test_the_map_of_the_design_is_read():
    task = Task.from_mapping(FULL)
    assert task.weights == {"BUY": 1.0, "FAVOURITE": 0.5, "VIEW": 0.1}
    assert task.horizon_millis == 30 * 86_400_000
    assert task.labels == ("Item", "User", "Category")
    assert task.features["Item"] == ("price", "category")
    assert pickle.loads(pickle.dumps(task)) == task


def test_ratings_stand_beside_the_behaviours_and_take_their_place_for_models_of_ratings():
    task = Task.from_mapping(
        FULL | {"via": {"LIKED": {"direction": "in"}}, "seen": None, "ratings": {"LIKED": "r", "RATED": "r"}}
    )
    assert Task.from_mapping(task.to_mapping()) == task
    rated = task.of_ratings()
    assert {name: (one.weight, one.direction) for name, one in rated.via.items()} == {
        "LIKED": (1.0, "in"),
        "RATED": (1.0, "out"),
    }
    assert (rated.features, rated.also_types, rated.time_property) == ({}, (), "at")
    assert "ratings" not in Task.from_mapping(SMALL).to_mapping()


def test_without_ratings_different_weights_are_the_ratings_and_equal_ones_are_refused():
    task = Task.from_mapping(FULL)
    assert task.of_ratings() == task
    with pytest.raises(InvalidInput, match=r"weigh the same.*ratings: \{RATED: 'stars'\}"):
        Task.from_mapping(SMALL).of_ratings()


def test_a_behaviour_may_run_through_a_middle_node():
    task = Task.from_mapping(SMALL | {"via": {"BUY": {"weight": 2, "through": ["PLACED", "CONTAINS"]}}})
    assert task.via["BUY"].through == ("PLACED", "CONTAINS")
    assert task.to_mapping()["via"]["BUY"]["through"] == ["PLACED", "CONTAINS"]


def test_all_faults_are_named_at_once_with_suggestions():
    wrong = {
        "recomend": "Item",
        "to": "User",
        "key": {"Usr": "id"},
        "via": {"BUY": -1, "VIEW": {"wieght": 1, "direction": "up"}},
        "horizon": "P1M",
        "seen": ["BYU"],
        "features": {"Item": "price"},
        "ratings": {"RATED": 5},
    }
    with pytest.raises(InvalidInput) as caught:
        Task.from_mapping(wrong)
    text = str(caught.value)
    for expected in (
        "Unknown key `recomend`. Did you mean 'recommend'?",
        "`recommend` is missing.",
        "`key` names the label 'Usr'",
        "Did you mean 'User'?",
        "`via.BUY`: the weight must be a finite number > 0, found -1.",
        "Did you mean 'weight'?",
        "the direction must be 'out' or 'in', found text ('up').",
        "'P1M' is not a duration",
        "`horizon` needs `timeProperty`",
        "`seen` names 'BYU', which is not in `via`. Did you mean 'BUY'?",
        "`features.Item` must be a list of non-empty texts",
        "`ratings.RATED` must be the name of a property, found a number (5).",
    ):
        assert expected in text


@pytest.mark.parametrize("raw", [None, [], "Item", {"recommend": 1, "to": "", "key": [], "via": {}}])
def test_other_shapes_are_refused_in_words(raw):
    with pytest.raises(InvalidInput):
        Task.from_mapping(raw)


@pytest.mark.parametrize("weight", [0, float("nan"), float("inf"), True, "1", None])
def test_weights_that_are_no_positive_number_are_refused(weight):
    with pytest.raises(InvalidInput, match="weight must be a finite number"):
        Task.from_mapping(SMALL | {"via": {"BUY": {"weight": weight}}})


# 1 week + 2 days + 3 h + 4 min + 5 s = 604800 + 172800 + 10800 + 240 + 5 s.
@pytest.mark.parametrize(
    ("text", "millis"),
    [("P30D", 2_592_000_000), ("PT12H", 43_200_000), ("P1W2DT3H4M5S", 788_645_000), ("PT0.5S", 500)],
)
def test_durations_match_values_worked_by_hand(text, millis):
    assert duration_millis(text) == millis


@pytest.mark.parametrize("text", ["", "P", "PT", "P1M", "P1Y", "30D", "P0D", "P1DT", "p1d"])
def test_durations_without_a_fixed_length_are_refused(text):
    with pytest.raises(ValueError, match="'P30D'"):
        duration_millis(text)


def test_the_three_file_formats_give_the_same_task(tmp_path):
    (tmp_path / "task.json").write_text(json.dumps(SMALL))
    (tmp_path / "task.yaml").write_text(
        "recommend: Item\nto: User\nkey: {User: id, Item: id}\nvia: {BUY: 1}\n"
    )
    (tmp_path / "task.toml").write_text(
        'recommend = "Item"\nto = "User"\nkey = {User = "id", Item = "id"}\nvia = {BUY = 1}\n'
    )
    found = [Task.read(tmp_path / f"task.{ending}") for ending in ("json", "yaml", "toml")]
    assert found[0] == found[1] == found[2] == Task.from_mapping(SMALL)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="no such file"):
        Task.read(tmp_path / "none.json")
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read"):
        Task.read(tmp_path / "task.json")
    with pytest.raises(InvalidInput, match=r"the ending is '\.txt'"):
        Task.read(tmp_path / "task.txt")
