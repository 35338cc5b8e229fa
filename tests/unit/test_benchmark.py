import json

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from gds_pipelines.cli import app
from gds_pipelines.dataset_interactions import mapped_events
from gds_pipelines.ingest import read_mapping

RUN = CliRunner()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    rng = np.random.default_rng(0)
    train, test = [], []
    for user in range(60):
        items = rng.permutation(20) + 20 * (user % 3)
        train.append(" ".join(map(str, [user, *items[:10]])))
        test.append(" ".join(map(str, [user, *items[10:]])))
    (folder / "train.txt").write_text("\n".join(train))
    (folder / "test.txt").write_text("\n".join(test))
    return folder


def called(*arguments):
    return RUN.invoke(app, ["benchmark", "accuracy", *map(str, arguments)])


def test_models_are_measured_beside_the_baselines(files):
    found = called(
        "rp3beta,lightgcn", "--no-choose", "--train", files / "train.txt", "--test", files / "test.txt",
        "--json", "--k", "5,10",
        "--set", "lightgcn.dimension=4", "--set", "lightgcn.epochs=1", "--threads", 1,
        "--recommendations", files / "lists.parquet",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    rows = {row["model"]: row for row in result["models"]}
    assert list(rows) == ["rp3beta", "lightgcn", "popularity", "itemknn", "ials"]
    assert rows["rp3beta"]["figures"]["recall@10"] == pytest.approx(1.0)
    assert rows["lightgcn"]["parameters"]["dimension"] == 4
    low, high = rows["popularity"]["intervals95"]["recall@10"]
    assert low <= rows["popularity"]["figures"]["recall@10"] <= high
    assert {row["model"] for row in result["comparisons"]} <= {"rp3beta", "lightgcn"}
    assert result["data"]["train"] == 600
    assert result["leak"]["clean"]
    assert str(files) not in found.stdout
    lists = pyarrow.parquet.read_table(files / "lists.parquet")
    assert lists.column_names == ["user", "item", "rank", "score"]
    first = lists.slice(0, 10)
    assert first["rank"].to_pylist() == list(range(1, 11))
    assert set(first["item"].to_pylist()) == set(range(20)) - {
        int(item) for item in (files / "train.txt").read_text().splitlines()[0].split()[1:]
    }


def test_settings_are_chosen_on_a_part_of_train_where_none_are_given(files):
    found = called(
        "rp3beta", "--train", files / "train.txt", "--test", files / "test.txt", "--json",
        "--no-baselines", "--trials", 3, "--set", "alpha=0.7", "--k", "5", "--threads", 1,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    row = json.loads(found.stdout)["models"][0]
    assert row["chosen"]["trials"] == 3
    assert row["chosen"]["parameters"] == {"alpha": 0.7, "beta": row["parameters"]["beta"]}
    assert row["parameters"]["alpha"] == 0.7
    assert {"head", "middle", "tail"} >= set(row["beyond"]["items"])


def test_pictures_are_drawn_of_what_was_measured(files):
    folder = files / "pictures"
    arguments = ("popularity,mf-bpr", "--no-choose", "--no-baselines", "--k", 5, "--threads", 1)
    settings = ("--set", "mf-bpr.epochs=2", "--set", "mf-bpr.dimension=4", "--plots", folder)
    for _ in range(2):
        found = called(*arguments, *settings, "--train", files / "train.txt", "--test", files / "test.txt")
        assert found.exit_code == 0, found.output
    bars, time, learning = ((folder / f"{name}.svg").read_text() for name in ("bars", "time", "learning"))
    for text in (bars, time):
        assert "mf-bpr" in text
        assert "popularity" in text
    assert "recall@5" in bars
    assert "ndcg@5" in bars
    assert "first epoch = 1" in learning
    assert "popularity" not in learning


def test_a_protocol_splits_a_single_file_and_ranks_the_candidates_that_are_listed(files):
    lists = [f"{user} {items.split()[1]} 100 101 102" for user, items in enumerate_lines(files)]
    (files / "lists.txt").write_text("\n".join(lists))
    found = called(
        "popularity,rp3beta,auto", "--train", files / "train.txt", "--protocol", "ncf", "--json",
        "--candidates", files / "lists.txt", "--no-baselines", "--no-choose",
        "--set", "auto.dimension=4", "--set", "auto.epochs=1", "--set", "auto.weight=1",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    assert (result["data"]["train"], result["data"]["test"]) == (540, 60)
    rows = {row["model"]: row["figures"] for row in result["models"]}
    # Items 100 to 102 are no items of the data, so each positive is alone and first.
    assert rows["rp3beta"]["hit_rate@10"] == rows["rp3beta"]["ndcg@10"] == 1.0
    # A model that chooses for lists of some length is told theirs.
    assert result["models"][2]["parameters"]["among"] == 4
    assert {
        row["name"] for row in json.loads(RUN.invoke(app, ["benchmark", "protocols", "--json"]).stdout)
    } > {
        "ncf",
        "ratings",
    }


def enumerate_lines(files):
    return [(line.split()[0], line) for line in (files / "train.txt").read_text().splitlines()]


def test_a_leak_is_refused_unless_it_is_asked_for(files):
    arguments = (
        "popularity",
        "--train",
        files / "train.txt",
        "--test",
        files / "train.txt",
        "--no-baselines",
        "--no-choose",
    )
    refused = called(*arguments)
    assert refused.exit_code == 1
    assert "600 test pairs also stand in train" in refused.stderr
    found = called(*arguments, "--despite-leak", "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["leak"] == {
        "clean": False,
        "sharedPairs": 600,
        "reversedPairs": 0,
        "latePairs": 0,
        "despiteLeak": True,
    }


def test_reversed_pairs_and_tables_by_a_mapping_are_read(tmp_path):
    """Friends: b follows a in train, a follows b in test. The columns have names of their own."""
    (tmp_path / "follows.csv").write_text(
        "who,whom,stars,day\n1,2,5,1700000000\n3,1,2,1700000001\n2,3,4,1700000002\n"
    )
    (tmp_path / "later.csv").write_text("who,whom,stars,day\n2,1,1,1700000003\n1,3,3,1700000004\n")
    (tmp_path / "follows.yml").write_text(
        "nodes: {Person: {key: id, type: integer}}\n"
        "tables:\n"
        "  follows:\n"
        "    relationships:\n"
        "      - type: FOLLOWS\n"
        "        from: {label: Person, column: who}\n"
        "        to: {label: Person, column: whom}\n"
        "        time: {column: day, unit: s}\n"
        "        properties: {rating: {column: stars, type: float}}\n"
    )
    given = ("popularity", "--train", tmp_path / "follows.csv", "--mapping", tmp_path / "follows.yml")
    given = (*given, "--no-baselines", "--no-choose")
    both = (*given, "--test", tmp_path / "later.csv")
    found = json.loads(called(*both, "--json").stdout)
    assert (found["data"]["users"], found["data"]["train"], found["data"]["test"]) == (3, 3, 2)
    assert found["source"]["mapping"]["file"] == "follows.yml"
    refused = called(*both, "--same-nodes")
    assert "2 test pairs stand in train the other way round" in refused.stderr
    asked = called(*both, "--same-nodes", "--despite-leak")
    assert "2 test pairs stand in train the other way round" in asked.stdout
    events = mapped_events(tmp_path / "follows.csv", read_mapping(tmp_path / "follows.yml"), ratings=True)
    assert dict(zip(zip(events.users, events.items, strict=True), events.weights, strict=True)) == {
        (1, 2): 5.0,
        (3, 1): 2.0,
        (2, 3): 4.0,
    }
    assert sorted(events.times) == [1700000000000, 1700000001000, 1700000002000]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lightgnc", "--dataset", "shop"), "Did you mean 'lightgcn'?"),
        (("popularity",), "give --train F and --test F together, or --dataset NAME"),
        (("popularity", "--dataset", "shp"), "Did you mean 'shop'?"),
        (("popularity", "--dataset", "shop", "--k", "0"), "'0' is not a list of whole numbers"),
        (("popularity,rp3beta", "--dataset", "shop", "--set", "beta=1"), "write MODEL.beta"),
        (("rp3beta", "--dataset", "shop", "--set", "bta=1"), "Did you mean 'beta'?"),
        (("popularity,popularity", "--dataset", "shop"), "or one twice"),
        (("popularity", "--dataset", "shop", "--protocol", "nfc"), "Did you mean 'ncf'?"),
        (("popularity", "--dataset", "shop", "--protocol", "ncf"), "the data set has no such list"),
        (("popularity", "--dataset", "shop", "--protocol", "ratings"), "'shop' has none"),
        (
            ("rp3beta", "--dataset", "shop", "--set", "bta=1", "--set", "alpha=x", "--set", "up"),
            "'up' is not of",
        ),
        (("rp3beta", "--dataset", "shop", "--set", "bta=1", "--set", "up"), "Did you mean 'beta'?"),
        (
            ("popularity", "--train", "x", "--protocol", "ncf"),
            "give --train F (everything) and --candidates F",
        ),
    ],
)
def test_wrong_requests_are_answered_in_one_sentence(arguments, message):
    found = called(*arguments)
    assert found.exit_code == 1
    assert message in found.stderr
    assert "Traceback" not in found.output


def test_models_of_ratings_are_refused_where_all_weigh_the_same(files):
    found = called("mf-ratings", "--train", files / "train.txt", "--test", files / "test.txt")
    assert found.exit_code == 1
    assert "it learns from ratings, and the weights of these pairs are all the same" in found.stderr


def test_data_too_small_to_choose_on_is_said(tmp_path):
    (tmp_path / "train.txt").write_text("0 1 2\n")
    (tmp_path / "test.txt").write_text("0 3\n")
    found = called(
        "rp3beta", "--train", tmp_path / "train.txt", "--test", tmp_path / "test.txt", "--no-baselines"
    )
    assert found.exit_code == 0, found.output
    assert "rp3beta: settings as they come; train is too small to hold out a part of it" in found.output


def test_the_made_up_shop_is_measured_by_its_own_split():
    found = called("popularity", "--dataset", "shop", "--no-baselines", "--json")
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    assert result["source"]["dataset"] == "shop"
    assert 0 < result["models"][0]["figures"]["recall@20"] < 1


def test_models_are_listed_for_people_and_machines():
    rows = json.loads(RUN.invoke(app, ["models", "--json"]).stdout)
    assert {"name", "contract", "source", "parameters", "measured", "kinds", "needs"} <= set(rows[0])
    assert "lightgcn" in {row["name"] for row in rows}
    assert "temperature" in RUN.invoke(app, ["models", "fism"]).stdout
    assert "Did you mean 'fism'" in RUN.invoke(app, ["models", "fsim"]).stderr


def test_what_a_protocol_lacks_and_what_cannot_be_written_is_said_in_a_sentence(tmp_path):
    (tmp_path / "few.txt").write_text("0 0 1\r\n\r\n1 1 2\r\n1 2\r\n2 0\r\n7\r\n")
    (tmp_path / "test.txt").write_text("0 2\n9 1 3\n")
    files = ("--train", tmp_path / "few.txt", "--test", tmp_path / "test.txt", "--no-baselines")
    # Repeated pairs, empty lines, a user without items, one and an item unknown to train, fewer items than k.
    found = called("fism", *files, "--set", "dimension=2", "--recommendations", tmp_path / "lists.parquet")
    assert found.exit_code == 0, found.output
    assert "1 of 2 test users are unknown to train" in found.stdout
    lists = pyarrow.parquet.read_table(tmp_path / "lists.parquet").to_pylist()
    assert {row["item"] for row in lists if row["user"] == 9} == {0, 1, 2, 3}
    for arguments, message in (
        ((*files, "--recommendations", tmp_path), "is a directory; name a file in it"),
        ((*files[:2], "--protocol", "ratings"), "no column 'weight' with the ratings"),
        ((*files[:2], "--protocol", "sasrec"), "no column 'time', by which this protocol splits"),
    ):
        refused = called("mf-ratings", *arguments)
        assert refused.exit_code == 1
        assert message in refused.stderr
    wild = ("--no-choose", "--set", "regularization=1e30", "--set", "epochs=3", "--set", "dimension=2")
    assert "diverged in epoch" in called("mf-logistic", *files, *wild).stderr
