"""Data sets: found, checked, fetched only from their provider; and a made-up shop worth learning from."""

import gzip
import hashlib
import io
import json
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from gds_pipelines import datasets, ingest
from gds_pipelines.datasets import dataset as dataset_module
from gds_pipelines.datasets.dataset import DataFile, Dataset, Download
from gds_pipelines.errors import InvalidInput, PipelineError, UnknownName

RATINGS = b"1::10::5::100\n1::11::3::200\n2::10::4::300\n"
MOVIES = "10::Café (1999)::Drama|Comedy\n11::B (2000)::Drama\n".encode("iso-8859-1")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def small(**changes) -> Dataset:
    files = (DataFile("ratings.dat", (sha256(RATINGS),), (3,)), DataFile("movies.dat", (sha256(MOVIES),)))
    values = {"name": "small", "title": "Small", "mapping": "movielens-dat", "task": {}, "split": {}}
    values |= {"terms": "Not to be passed on.", "provider": "somebody", "directory": "sm", "files": files}
    return Dataset(**values | changes)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("GNN4J_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(dataset_module, "downloads_directory", lambda: tmp_path / "downloads")
    (tmp_path / "data" / "sm").mkdir(parents=True)
    return tmp_path


def test_files_are_found_packed_or_not_and_checked_unpacked(places):
    (places / "data" / "sm" / "ratings.dat.gz").write_bytes(gzip.compress(RATINGS))
    (places / "data" / "sm" / "movies.dat").write_bytes(MOVIES)
    prepared = small().prepare()
    plan = ingest.plan_tables(prepared.files, prepared.mapping)
    assert plan.nodes["Movie"].properties["title"].to_pylist() == ["Café (1999)", "B (2000)"]
    assert {one.type: one.report.found for one in plan.relationships} == {
        "IN_GENRE": 3,
        "LIKED": 2,
        "RATED_LOW": 1,
    }
    assert prepared.notes == [f"Small, from {places / 'data' / 'sm'}. Not to be passed on."]


def test_another_edition_of_the_right_length_passes_with_a_note_and_half_a_file_does_not(places):
    (places / "data" / "sm" / "movies.dat").write_bytes(MOVIES)
    ratings = places / "data" / "sm" / "ratings.dat"
    ratings.write_bytes(RATINGS.replace(b"\n", b"\r\n"))
    assert "is an edition we have not met" in small().prepare().notes[1]
    ratings.write_bytes(RATINGS[:-20])
    with pytest.raises(InvalidInput, match=r"ratings\.dat has 2 lines, expected 3, .* gnn4j ingest"):
        small().prepare()
    ratings.unlink()
    (places / "data" / "sm" / "ratings.dat.gz").write_bytes(gzip.compress(RATINGS)[:-12])
    with pytest.raises(InvalidInput, match="is not what it should be"):
        small().prepare()


def test_what_may_not_be_fetched_says_who_has_it():
    with pytest.raises(
        InvalidInput, match=r"Not to be passed on\. Get it from somebody; put ratings\.dat, movies\.dat"
    ):
        small().prepare()


@pytest.fixture
def provider():
    """A provider on this machine; `served` is what it answers."""
    served = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = served.get(self.path)
            self.send_response(200 if data else 404)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    served["address"] = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"ml/../ml/{name}.dat", data)
    return buffer.getvalue()


def test_a_download_is_checked_unpacked_and_kept(provider, places):
    data = provider["/ml.zip"] = packed(ratings=RATINGS, movies=MOVIES)
    source = Download(f"{provider['address']}/ml.zip", sha256(data), len(data))
    seen = []
    prepared = small(download=source).prepare(received=lambda *step: seen.append(step))
    assert [file.read_bytes() for file in prepared.files["ratings"]] == [RATINGS]
    assert seen[-1] == ("ml.zip", len(data), len(data))
    provider.clear()  # The second time nothing is asked.
    assert small(download=source).prepare().files == prepared.files
    assert sorted(entry.name for entry in (places / "downloads").iterdir()) == ["sm"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (packed(ratings=RATINGS, movies=MOVIES) + b"!", "has the SHA-256 .* expected"),
        (None, r"cannot be fetched .*Without a network: it comes from somebody"),
        (b"x" * 2000, "is much larger than 100 bytes"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(provider, places, data, sentence):
    if data is not None:
        provider["/ml.zip"] = data
    good = packed(ratings=RATINGS, movies=MOVIES)
    size = 100 if data and data.startswith(b"x") else len(good)
    with pytest.raises(PipelineError, match=sentence):
        small(download=Download(f"{provider['address']}/ml.zip", sha256(good), size)).prepare()
    assert list((places / "downloads").iterdir()) == []


def test_names_are_suggested():
    with pytest.raises(UnknownName, match="Did you mean 'movielens-1m'"):
        datasets.get("movielens1m")


@pytest.mark.parametrize("name", datasets.names())
def test_every_task_is_about_what_its_mapping_makes(name):
    dataset = datasets.get(name)
    mapping = ingest.mapping.shipped(dataset.mapping)
    made = {
        kind for table in mapping.tables.values() for part in table.relationships for kind in part.types()
    }
    task = dataset.task
    assert (
        {*task["via"], *task.get("alsoTypes", ()), *dataset.split.get("test", ())} <= made
        if dataset.split["method"] == "given"
        else {*task["via"], *task.get("alsoTypes", ())} <= made
    )
    for label in (task["recommend"], task["to"]):
        assert mapping.nodes[label].key == task["key"][label]
    properties = {label: {spec.key} for label, spec in mapping.nodes.items()}
    for table in mapping.tables.values():
        for part in table.nodes:
            properties[part.label] |= set(part.properties)
    for label, features in task.get("features", {}).items():
        assert set(features) <= properties[label]
    assert json.loads(json.dumps(task)) == task


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in datasets.names() if datasets.get(name).files])
def test_the_real_files_are_known(name, monkeypatch):
    monkeypatch.undo()
    dataset = datasets.get(name)
    if dataset.find() is None:
        pytest.skip(f"{name} is not on this machine")
    notes = dataset.prepare(download=False).notes
    assert len(notes) == 1, notes


# ---------------------------------------------------------------- the shop


@pytest.fixture(scope="module")
def shop():
    return {name: table.to_pandas() for name, table in datasets.generate_shop().items()}


def test_the_same_seed_is_the_same_shop_and_another_is_not():
    size = datasets.ShopSize(users=20, items=30, categories=3, events=300)
    first, second = (datasets.generate_shop(size, seed=3) for _ in range(2))
    assert first == second
    assert datasets.generate_shop(size, seed=4)["events"] != first["events"]


def test_the_shop_has_the_size_that_was_asked_for(shop):
    assert {name: len(frame) for name, frame in shop.items()} == {
        "users": 600,
        "items": 400,
        "events": 40_000,
    }
    assert shop["items"].category.nunique() == 12
    assert shop["items"].title.is_unique
    assert 0.05 < shop["users"].age.isna().mean() < 0.15


def test_events_are_in_order_and_no_user_does_two_things_at_once(shop):
    events = shop["events"]
    assert events["at"].is_monotonic_increasing
    assert not events.duplicated(["user", "at"]).any()
    assert not events[events.kind == "buy"].duplicated(["user", "item"]).any()
    kinds = Counter(events.kind)
    assert kinds["view"] > kinds["favourite"] > kinds["buy"] > 0


def test_tastes_drift(shop):
    """Shares of categories in the first and the last quarter differ more than in two random halves of
    them.
    """
    events = shop["events"].merge(shop["items"], left_on="item", right_on="id")
    codes = events.category.astype("category").cat.codes.to_numpy()
    users, quarter = events.user.to_numpy() - 1, np.arange(len(events)) * 4 // len(events)

    def distance(first: np.ndarray, second: np.ndarray) -> float:
        shares = [np.zeros((600, 12)), np.zeros((600, 12))]
        for share, rows in zip(shares, (first, second), strict=True):
            np.add.at(share, (users[rows], codes[rows]), 1)
        both = (shares[0].sum(1) >= 5) & (shares[1].sum(1) >= 5)
        shares = [share[both] / share[both].sum(1, keepdims=True) for share in shares]
        return float(np.abs(shares[0] - shares[1]).sum(1).mean())

    # Sessions hold one category, so halves are drawn by session (a user's hour), not by event.
    hours = events["at"].to_numpy() // 3_600_000 % 2
    outer = np.isin(quarter, (0, 3))
    assert distance(quarter == 0, quarter == 3) > 1.1 * distance(outer & (hours == 0), outer & (hours == 1))


def test_comparing_users_finds_more_than_popularity(shop):
    """ItemKNN by cosine against the most popular, recall@20 of the new items of the last 14 days."""
    events = shop["events"]
    late = (events["at"] >= events["at"].max() - 14 * 86_400_000).to_numpy()
    seen, held = np.zeros((600, 400)), np.zeros((600, 400))
    for matrix, rows in ((seen, ~late), (held, late)):
        matrix[events.user[rows] - 1, events.item[rows] - 1] = 1
    held *= 1 - seen
    users = held.sum(1) > 0
    norm = np.sqrt(seen.sum(0)) + 1e-9
    cosine = (seen.T @ seen) / norm / norm[:, None]
    np.fill_diagonal(cosine, 0)

    def recall(scores: np.ndarray) -> float:
        top = np.argsort(np.where(seen > 0, -np.inf, scores), axis=1)[:, -20:]
        found = np.take_along_axis(held, top, 1).sum(1)[users]
        return float((found / np.minimum(held.sum(1)[users], 20)).mean())

    assert users.sum() > 200
    assert recall(seen @ cosine) > 1.8 * recall(np.tile(seen.sum(0), (600, 1)))


def test_a_shop_that_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match=r"users is 0.*\n.*2 items are too few for 3 categories"):
        datasets.generate_shop(datasets.ShopSize(users=0, items=2, categories=3))
