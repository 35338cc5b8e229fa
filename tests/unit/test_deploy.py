"""The order of a deployment, against a registry in memory that follows docs/formats.md section 4."""

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gds_pipelines.deploy import DeployReport, deploy, read_artefact
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.registry import Registry, check_name
from model_export import Artefact
from model_export.artefact import part_entry
from model_export.canonical_json import parse_canonical
from model_export.parts import MAX_PIECE_BYTES
from model_export.vectors import encode, of_one_type

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "item_propagation"


class Killed(Exception):
    """Stands for a server that is gone: whatever ran in the database until now is committed."""


class Record(dict):
    def data(self):
        return dict(self)


class Database:
    """The procedures that deployment calls, by the words of the page; ``dies_at`` is a call to die at."""

    def __init__(self):
        self.models, self.pointers, self.graphs = [], {}, []
        self.labels = {"User": [1, 2, 3], "Item": [101, 102, 103, 104]}
        self.types = {"BUY", "VIEW"}
        self.constraints = {("User", "id"), ("Item", "id")}
        self.calls, self.dies_at, self.after = 0, None, False
        self.refuses_drop = False

    def execute(self, query, **parameters):
        self.calls += 1
        dying = self.calls == self.dies_at
        if dying and not self.after:
            raise Killed
        rows = self.answer(query, SimpleNamespace(**parameters))
        if dying:
            raise Killed
        return [Record(row) for row in rows]

    def answer(self, query, given):
        if "db.labels" in query:
            return [{"label": label} for label in self.labels]
        if "db.relationshipTypes" in query:
            return [{"relationshipType": name} for name in self.types]
        if "SHOW CONSTRAINTS" in query:
            return [{"label": label, "property": key} for label, key in self.constraints]
        if "valueType" in query:
            return [{"kinds": ["INTEGER NOT NULL"]}]
        if query.startswith("MATCH (n:$($label))"):
            return [{"keys": self.labels[given.label]}]
        procedure = query.split("CALL gnn.")[1].split("(")[0]
        return getattr(self, procedure.replace(".", "_"))(given)

    def find(self, name, version):
        return next(m for m in self.models if (m["name"], m["version"]) == (name, version))

    def missing(self, model):
        return [{"file": f, "index": i} for f, i in sorted(model["wanted"] - model["parts"].keys())]

    def row(self, model):
        keys = ("name", "version", "contract", "sha256", "state")
        return {key: model[key] for key in keys} | {"partsMissing": self.missing(model)}

    def model_list(self, given):
        named = [a for a in self.pointers]
        return [
            self.row(m)
            | {
                "aliases": [a for a in named if self.pointers[a] == (m["name"], m["version"])],
                "task": {},
                "metrics": None,
                "createdAt": 5,
            }
            for m in self.models
        ]

    def model_load(self, given):
        import io
        import zipfile

        from model_export.canonical_json import sha256_hex

        manifest = zipfile.ZipFile(io.BytesIO(given.artefact)).read("manifest.json")
        sha256, parts = sha256_hex(manifest), json.loads(manifest)["parts"]
        for model in self.models:
            if (model["name"], model["sha256"]) == (given.name, sha256) and model["state"] != "retired":
                return [self.row(model)]
        wanted = {(p["file"], q["index"]) for p in parts if p["file"] != "model.onnx" for q in p["pieces"]}
        number = 1 + max((m["version"] for m in self.models if m["name"] == given.name), default=0)
        self.models.append(
            {
                "name": given.name,
                "version": number,
                "contract": json.loads(manifest)["contract"],
                "sha256": sha256,
                "state": "loading" if wanted else "building",
                "wanted": wanted,
                "parts": {},
            }
        )
        return [self.row(self.models[-1])]

    def model_addPart(self, given):
        model = self.find(given.name, given.version)
        model["parts"][given.file, given.index] = given.bytes
        if not self.missing(model):
            model["state"] = "building"
        return [self.row(model)]

    def embed_propagate(self, given):
        model = self.find(given.name, given.version)
        projected = model["contract"] in ("item-propagation/1", "padded-blocks/1")
        assert given.graph in self.graphs if projected else given.graph is None
        assert model["state"] in ("building", "ready")
        model["state"] = "ready"
        return [
            {
                "nodePropertiesWritten": 11,
                "unmatchedVectors": 1,
                "unmatchedNodes": 1,
                "skippedMissing": 2,
                "skippedChanged": 1,
                "millis": 3,
            }
        ]

    def model_alias(self, given):
        now = self.pointers.get(given.alias, (None, 0))[1]
        assert given.config["expected"] == now, "moved meanwhile"
        assert self.find(given.name, given.config["version"])["state"] == "ready"
        self.pointers[given.alias] = (given.name, given.config["version"])
        return [{}]

    def model_drop(self, given):
        if self.refuses_drop:
            raise PipelineError("in use")
        model = self.find(given.name, given.version)
        assert (given.name, given.version) not in self.pointers.values()
        self.models.remove(model)
        return [{}]

    def states(self):
        return [(m["version"], m["state"]) for m in self.models]


@pytest.fixture(scope="module")
def artefact():
    manifest = parse_canonical((GOLDEN / "manifest.json").read_bytes())
    files = {part["file"]: (GOLDEN / part["file"]).read_bytes() for part in manifest["parts"]}
    return Artefact(manifest, files)


def another(artefact, created_at="2026-02-02T00:00:00Z"):
    return Artefact({**artefact.manifest, "createdAt": created_at}, artefact.files)


def with_vectors(artefact, data):
    files = {**artefact.files, "vectors.arrow": data}
    parts = [part_entry(name, content) for name, content in files.items()]
    return Artefact({**artefact.manifest, "parts": parts}, files)


def run(database, artefact, **options) -> DeployReport:
    @contextmanager
    def project(connection, task):
        assert task.recommend == "Item"
        database.graphs.append("g")
        yield "g"
        database.graphs.remove("g")

    return deploy(database, artefact, alias="shop", project=project, **options)


def test_a_first_deployment_loads_propagates_and_points(artefact):
    database = Database()
    report = run(database, artefact)
    assert database.pointers == {"shop": ("lightgcn", 1)}
    assert database.states() == [(1, "ready")]
    assert database.models[0]["parts"] == {("vectors.arrow", 0): artefact.files["vectors.arrow"]}
    assert database.graphs == []
    assert (report.model, report.previous, report.resumed) == ("lightgcn:1", None, False)
    assert (report.vectors, report.unmatched_vectors, report.unmatched_nodes) == (4, 1, 1)
    assert (report.written, report.skipped) == (11, 3)
    assert set(report.millis) == {"check", "load", "propagate", "switch", "remove"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 12))
def test_killed_at_any_call_the_old_version_stays_and_the_next_deployment_succeeds(artefact, call, after):
    database = Database()
    run(database, artefact)
    new = another(artefact)
    database.calls, database.dies_at, database.after = 0, call, after
    try:
        run(database, new)
    except Killed:
        # Either the old version answers, or the new one is complete: nothing in between can be seen.
        name, version = database.pointers["shop"]
        assert database.find(name, version)["state"] == "ready"
        if version == 1:
            assert database.find(name, 1)["sha256"] == artefact.sha256
    database.dies_at = None
    database.graphs.clear()
    report = run(database, new)
    assert database.pointers["shop"] == ("lightgcn", int(report.model.split(":")[1]))
    assert database.find(*database.pointers["shop"])["sha256"] == new.sha256
    assert {state for _, state in database.states()} == {"ready"}
    assert len(database.models) == 2  # the new one and the one kept to go back to


def test_an_unfinished_version_of_the_same_artefact_is_gone_on_with(artefact):
    database = Database()
    Registry(database).load("lightgcn", artefact.core_zip())
    report = run(database, artefact)
    assert report.resumed
    assert database.states() == [(1, "ready")]


def test_the_same_artefact_deployed_twice_refreshes_its_version(artefact):
    database = Database()
    run(database, artefact)
    report = run(database, artefact)
    assert (report.model, report.previous, report.resumed) == ("lightgcn:1", "lightgcn:1", False)
    assert (report.written, database.states()) == (11, [(1, "ready")])


def test_pieces_that_are_there_are_not_sent_again(artefact, monkeypatch):
    count = MAX_PIECE_BYTES // 8 // 4 + 10
    big = of_one_type("Item", np.arange(count), np.zeros((count, 8)))
    made = with_vectors(artefact, encode(big))
    assert len(list(made.pieces())) >= 2
    database = Database()
    loaded = Registry(database).load("lightgcn", made.core_zip())
    file, index, data = next(iter(made.pieces()))
    Registry(database).add_part("lightgcn", loaded.version, file, index, bytes(data))
    sent = []
    original = Database.model_addPart
    monkeypatch.setattr(
        Database, "model_addPart", lambda self, given: sent.append(given.index) or original(self, given)
    )
    run(database, made)
    assert sent == [piece for _, piece, _ in made.pieces()][1:]


def test_what_another_deployment_left_unfinished_is_removed(artefact):
    database = Database()
    Registry(database).load("lightgcn", another(artefact).core_zip())
    report = run(database, artefact)
    assert report.removed == ("lightgcn:1",)
    assert [state for _, state in database.states()] == ["ready"]


@pytest.mark.parametrize(("keep", "left"), [(0, [4]), (1, [3, 4]), (2, [2, 3, 4])])
def test_as_many_previous_versions_stay_as_asked(artefact, keep, left):
    database = Database()
    for second in range(3):
        run(database, another(artefact, f"2026-02-02T00:00:0{second}Z"), keep_previous=9)
    run(database, artefact, keep_previous=keep)
    assert [version for version, _ in database.states()] == left


def test_the_version_the_alias_pointed_to_is_kept_first(artefact):
    database = Database()
    for second in range(3):
        run(database, another(artefact, f"2026-02-02T00:00:0{second}Z"), keep_previous=9)
    database.pointers["shop"] = ("lightgcn", 1)  # somebody went back
    report = run(database, artefact)
    assert report.previous == "lightgcn:1"
    assert [version for version, _ in database.states()] == [1, 4]


def test_a_version_another_alias_points_to_is_never_removed(artefact):
    database = Database()
    run(database, another(artefact, "2026-02-02T00:00:00Z"))
    database.pointers["steady"] = ("lightgcn", 1)
    run(database, another(artefact, "2026-02-02T00:00:01Z"))
    run(database, artefact, keep_previous=0)
    assert [version for version, _ in database.states()] == [1, 3]


def test_an_alias_that_was_moved_meanwhile_is_not_moved(artefact):
    database = Database()
    run(database, artefact)
    original = database.embed_propagate

    def moved(given):
        database.pointers["shop"] = ("lightgcn", 7)
        return original(given)

    database.embed_propagate = moved
    with pytest.raises(AssertionError, match="moved meanwhile"):
        run(database, another(artefact))
    assert database.pointers["shop"] == ("lightgcn", 7)


def test_a_dry_run_counts_and_writes_nothing(artefact):
    database = Database()
    report = run(database, artefact, dry_run=True)
    assert (report.vectors, report.unmatched_vectors, report.unmatched_nodes) == (4, 1, 1)
    assert (database.models, database.pointers, report.written) == ([], {}, 0)
    assert json.loads(json.dumps(report.to_mapping()))["unmatchedVectors"] == 1


@pytest.mark.parametrize(
    ("contract", "rows", "counts"),
    [("vectors", 6, (2, 3)), ("item_weights", 4, (1, 1)), ("lists", 7, (2, 2))],
)
def test_what_needs_no_graph_is_deployed_without_one(contract, rows, counts):
    folder = GOLDEN.parent / contract
    manifest = parse_canonical((folder / "manifest.json").read_bytes())
    made = Artefact(manifest, {p["file"]: (folder / p["file"]).read_bytes() for p in manifest["parts"]})
    database = Database()
    report = run(database, made, dry_run=True)
    assert (report.vectors, (report.unmatched_vectors, report.unmatched_nodes)) == (rows, counts)
    run(database, made)
    assert database.states() == [(1, "ready")]


def test_an_encoder_has_no_rows_to_meet_and_embeds_over_a_projection():
    folder = GOLDEN.parent / "padded_blocks"
    manifest = parse_canonical((folder / "manifest.json").read_bytes())
    database = Database()
    database.types |= {"SIMILAR", "FOLLOWS"}
    report = run(database, Artefact(manifest, {"model.onnx": (folder / "model.onnx").read_bytes()}))
    assert (report.vectors, database.states(), database.graphs) == (0, [(1, "ready")], [])
    assert database.pointers == {"shop": ("hand_worked", 1)}


def test_a_graph_that_is_given_is_used_and_left_alone(artefact):
    database = Database()
    database.graphs = ["mine"]
    run(database, artefact, graph_name="mine")
    assert database.graphs == ["mine"]


def test_all_that_the_graph_lacks_is_named_before_anything_is_written(artefact):
    database = Database()
    database.labels = {"Items": [1], "User": [1]}
    database.types, database.constraints = {"BUYS", "VIEW"}, set()
    with pytest.raises(InvalidInput) as error:
        run(database, artefact)
    assert error.value.faults == [
        "the graph has no label 'Item'. Did you mean 'Items'?",
        "the graph has no relationship type 'BUY'. Did you mean 'BUYS'?",
        "(:User).id has no uniqueness constraint, so nodes cannot be told apart by it. Do: "
        "CREATE CONSTRAINT FOR (n:`User`) REQUIRE n.`id` IS UNIQUE",
    ]
    assert database.models == []


def test_keys_of_another_kind_are_shown_side_by_side(artefact):
    database = Database()
    database.labels["Item"] = ["101", "102"]
    with pytest.raises(InvalidInput, match="no row of 'Item' has a node: keys there are like '10"):
        run(database, artefact)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "my-model"}, "'my-model' must have 1 to 64 of the characters"),
        ({"keep_previous": -1}, "it must be 0 or more, found -1"),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(artefact, options, message):
    database = Database()
    with pytest.raises(PipelineError, match=message):
        run(database, artefact, **options)
    assert database.calls == 0


def test_a_contract_that_cannot_be_deployed_says_which_can(artefact):
    other = Artefact({**artefact.manifest, "contract": "flat-edges/1"}, artefact.files)
    with pytest.raises(
        PipelineError, match="follows flat-edges/1; what can be deployed is item-propagation/1"
    ):
        run(Database(), other)


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "a`b", "a\n"])
def test_only_plain_names_reach_the_database(name):
    with pytest.raises(InvalidInput, match="must have 1 to 64"):
        check_name("model", name)


def test_a_file_that_is_no_artefact_is_refused_in_words(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=r"The artefact model\.zip is refused"):
        read_artefact(tmp_path / "model.zip")
