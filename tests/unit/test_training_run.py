"""What a person is told of a finished run."""

from pathlib import Path

import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.run import Measured, Run, SplitRequest
from gds_pipelines.task import Task
from gds_pipelines.training_run import Subject, behind, split_request, table


def run(*rows: tuple[str, dict[str, float]]) -> Run:
    table = [Measured(name, figures, 0, 0, 10) for name, figures in rows]
    return Run(Path("runs"), {}, rows[0][0], {}, 1, "by time", None, False, {"items": 3}, table)


@pytest.mark.parametrize(
    ("best", "sentence"),
    [(0.31, "fism is behind walk at ndcg@20 on this data (0.3000 against 0.3100)"), (0.3, None), (0.1, None)],
)
def test_a_model_that_loses_is_said_to_lose(best, sentence):
    found = behind(run(("fism", {"ndcg@20": 0.3}), ("other", {"ndcg@20": 0.1}), ("walk", {"ndcg@20": best})))
    assert (found is None) if sentence is None else found.startswith(sentence)


def test_errors_of_ratings_are_best_where_they_are_small():
    means, better = ("means", {"mae": 0.7, "rmse": 0.9}), ("better", {"mae": 0.6, "rmse": 0.8})
    assert behind(run(better, means)) is None
    assert behind(run(means, better)).startswith(
        "means is behind better at rmse on this data (0.9000 against"
    )
    shown = table(run(better, means))
    assert shown.title == "by time; errors of 0 ratings, smaller is better"
    assert list(shown.columns[2].cells) == ["[bold]0.8000[/]", "0.9000"]


def test_what_the_options_leave_open_is_as_the_data_set_has_it():
    task = Task.from_mapping(
        {"recommend": "Item", "to": "User", "key": {"User": "id", "Item": "id"}, "via": {"BUY": 1.0}}
    )
    last_ten = Subject("movies", task, {"method": "leave_last", "n": 10})
    assert split_request(last_ten, None) == SplitRequest("leave-last", 10)
    assert split_request(last_ten, "leave-last") == SplitRequest("leave-last", 10)
    assert split_request(last_ten, None, count=3) == SplitRequest("leave-last", 3)
    assert split_request(last_ten, "random") == SplitRequest("random", share=0.2)
    assert split_request(Subject("mine", task), None, share=0.1) == SplitRequest("random", share=0.1)
    with pytest.raises(InvalidInput, match="--share has no meaning for the split here, which is leave-last"):
        split_request(last_ten, None, share=0.1)
    given = Subject("parts", task, {"method": "given", "test": ["HELD"]})
    assert split_request(given, None) == ("HELD",)
    with pytest.raises(InvalidInput, match="that of the data set; add --split leave-last"):
        split_request(given, None, count=1)


def test_nothing_is_said_where_nothing_was_measured():
    assert behind(run(("fism", {}))) is None
