"""Workers on a real server: what Cypher asked for is trained and answers, whatever happens on the way.

Moments are named by what a worker says at them, so nothing here depends on how fast the machine is. A lease
runs out when a test says so, by setting its end back.
"""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gds_pipelines import training_run
from gds_pipelines.connection import Connection, Target
from gds_pipelines.datasets.shop import START, ShopSize, generate
from gds_pipelines.registry import Registry
from gds_pipelines.run import SplitRequest
from gds_pipelines.server.passwords import read_password
from gds_pipelines.server.settings import WORKER
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions
from gds_pipelines.worker.channel import JobChannel
from gds_pipelines.worker.graphs import sweep
from gds_pipelines.worker.loop import Worker
from gds_pipelines.worker.training import VECTORS, TrainingWork
from model_export.vectors import decode

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

DAY = 86_400_000
LINEAGE = Path(__file__).resolve().parents[2] / "cypher" / "browser" / "queries" / "lineage.cypher"
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.1},
    "timeProperty": "at",
    "horizon": "P14D",
}
QUICK = {"dimension": 8, "epochs": 3}
LONG = {"dimension": 8, "epochs": 10_000}
EVENTS = generate(ShopSize(users=300, items=120, events=9_000))


@pytest.fixture(scope="module")
def world(server):
    """A small shop up to its 60th day, and nothing else; ``connection`` is the worker's."""
    server.clear()
    for label, name in (("User", "users"), ("Item", "items")):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
        rows = [{key: row[key] for key in row if row[key] is not None} for row in EVENTS[name].to_pylist()]
        server.execute(f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", rows=rows)
    load(server, 0, 60)
    if server.home is not None:
        password = read_password(server.home, WORKER)
    else:  # somebody's running server: its worker's password is not ours to know
        password = "the tests' own worker"
        server.driver().execute_query(
            "CREATE OR REPLACE USER gnn_worker SET PASSWORD $password CHANGE NOT REQUIRED",
            password=password,
            database_="system",
        )
    target = Target(server.uri, WORKER, password, None, "test")
    connection = Connection(server.driver(WORKER, password), target)
    sweep(connection)  # of a run that was killed
    yield server, connection
    server.clear()


def load(server, first, last):
    """The events of some days, counted from 0."""
    for kind in ("view", "buy"):
        rows = [
            row
            for row in EVENTS["events"].to_pylist()
            if row["kind"] == kind and first * DAY <= row["at"] - START < last * DAY
        ]
        server.execute(
            "UNWIND $rows AS row MATCH (u:User {id: row.user}), (i:Item {id: row.item}) "
            "CREATE (u)-[:$($type) {at: row.at}]->(i)",
            rows=rows,
            type=kind.upper(),
        )


def submit(
    server, name, model, config=None, graph=None, training=None, split=None, steps=(), features=(), **call
):
    """A pipeline of this name with one model, and a job for it; the job's id."""
    if server.execute("CALL gnn.pipeline.exists($name) YIELD exists RETURN exists", name=name)[0]["exists"]:
        server.execute("CALL gnn.pipeline.drop($name) YIELD name FINISH", name=name)
    server.execute("CALL gnn.pipeline.fromTask($name, $task) YIELD name FINISH", name=name, task=TASK)
    parameters = server.execute("CALL gnn.pipeline.info($name) YIELD parameterSpace", name=name)
    if parameters[0]["parameterSpace"]:  # a complete pipeline has models of its own; these tests want one
        server.execute("CALL gnn.pipeline.drop($name) YIELD name FINISH", name=name)
        server.execute("CALL gnn.pipeline.create($name) YIELD name FINISH", name=name)
        call["task"] = TASK
    server.execute(
        "CALL gnn.pipeline.addModel($name, $model, $config) YIELD name FINISH",
        name=name,
        model=model,
        config=config or {},
    )
    for procedure, given in steps:
        server.execute(
            "CALL gnn.pipeline.addNodeProperty($name, $procedure, $config) YIELD name FINISH",
            name=name,
            procedure=procedure,
            config=given,
        )
    if features:
        server.execute(
            "CALL gnn.pipeline.selectFeatures($name, $features) YIELD name FINISH",
            name=name,
            features=list(features),
        )
    if split:
        server.execute(
            "CALL gnn.pipeline.configureSplit($name, $config) YIELD name FINISH", name=name, config=split
        )
    server.execute(
        "CALL gnn.pipeline.configureTraining($name, $config) YIELD name FINISH",
        name=name,
        config={"baselines": False} | (training or {}),
    )
    rows = server.execute(
        "CALL gnn.pipeline.train($graph, $config) YIELD jobId RETURN jobId",
        graph=graph,
        config={"pipeline": name, "modelName": name, **call},
    )
    return rows[0]["jobId"]


def job_of(server, job_id):
    return server.execute("CALL gnn.job.show($id)", id=job_id)[0].data()


def log_of(server, job_id):
    rows = server.execute("CALL gnn.job.log($id, {}) YIELD at, message RETURN message", id=job_id)
    return [row["message"] for row in rows]


def expire(server, job_id):
    """What the clock does to the lease of a worker that is gone."""
    server.execute("MATCH (job:GnnJob {id: $id}) SET job.leaseUntil = 0", id=job_id)


class Site:
    """One worker in this process; ``at`` has it do something when it first says a line that begins so."""

    def __init__(self, connection, directory, name="w1"):
        self.channel = JobChannel(connection)
        self.work = TrainingWork(connection, Path(directory), name, threads=1)
        self.moments = []
        self.worker = Worker(self.channel, self._do, name=name, device="cpu", pause=0.5)

    def at(self, line, act):
        self.moments.append((line, act))
        return self

    def run(self):
        assert self.worker.run(once=True) == 1
        assert not self.moments, "a moment never came"

    def _do(self, lease, beat):
        say = beat.say

        def said(message, level="INFO"):
            say(message, level)
            if self.moments and message.startswith(self.moments[0][0]):
                self.moments.pop(0)[1](lease)

        beat.say = said
        return self.work(lease, beat)


def nothing_is_left(server, connection, name, versions):
    """No graph of a job, no version beside those expected, none unfinished."""
    graphs = [one.graph_name for one in connection.gds().graph.list()]
    assert [graph for graph in graphs if graph.startswith("gnn_job_")] == []
    found = Registry(connection).versions(name)
    assert [(one.version, one.state) for one in found] == [(number, "ready") for number in versions]


# ---------------------------------------------------------------- the way through


def test_what_is_trained_answers_and_its_figures_are_those_of_gnn4j_train(world, tmp_path):
    server, connection = world
    job_id = submit(server, "plain", "mf-bpr", QUICK)
    assert job_of(server, job_id)["status"] == "PENDING"
    Site(connection, tmp_path / "jobs").run()
    job = job_of(server, job_id)
    assert (job["status"], job["progress"], job["attempt"], job["device"]) == ("FINISHED", 1.0, 1, "cpu")
    rows = server.execute(
        "MATCH (u:User {id: 7}) CALL gnn.recommend.stream(u, {model: 'plain', topK: 5}) "
        "YIELD node RETURN node"
    )
    assert len(rows) == 5

    admin = Connection(server.driver(), Target(server.uri, server.user, server.password, None, "test"))
    run = training_run.train(
        admin,
        training_run.Subject("shop", Task.from_mapping(TASK)),
        "mf-bpr",
        tmp_path / "run",
        parameters=training_run.hyper_parameters("mf-bpr", ["dimension=8", "epochs=3"], None),
        split=SplitRequest("time"),
        baselines=(),
        seed=1,
        options=TrainingOptions(threads=1, tensorboard=False),
    )
    info = job["modelInfo"]
    assert {name: figure["test"] for name, figure in info["metrics"].items()} == pytest.approx(
        {name.upper().replace("@", "_AT_"): value for name, value in run.figures().items()}
    )
    figure = info["metrics"]["NDCG_AT_20"]
    assert set(figure) == {"test", "train", "validation", "outerTrain"}
    assert set(figure["validation"]) == {"avg", "min", "max"}
    assert (info["modelName"], info["bestParameters"]["modelName"]) == ("plain", "mf-bpr")
    assert info["bestParameters"]["epochs"] == 3
    nothing_is_left(server, connection, "plain", [1])
    assert not (tmp_path / "jobs" / job_id).exists()

    # Where it came from, as Browser draws it.
    drawn = [record.values() for record in server.execute(LINEAGE.read_text(encoding="utf-8"))]
    assert drawn
    for *paths, model in drawn:
        labels = {label for path in paths for node in path.nodes for label in node.labels}
        assert labels == {
            "User", "Item", "GnnProjection", "GnnPipeline", "GnnJob", "GnnModel", "GnnAlias",
        }  # fmt: skip
        assert (model["name"], model["version"]) == ("plain", 1)


def test_a_projection_of_the_owner_is_read_and_served_over_and_dropped_is_said(world, tmp_path):
    server, connection = world
    project = (
        "MATCH (u:User)-[r:BUY|VIEW]->(i:Item) WITH gds.graph.project('mine', u, i, {sourceNodeLabels: "
        "labels(u), targetNodeLabels: labels(i), relationshipType: type(r), relationshipProperties: "
        "{at: r.at}}) AS g RETURN g.nodeCount AS nodes"
    )
    server.execute(project)
    job_id = submit(server, "granted", "lightgcn", {"dimension": 8, "epochs": 1}, graph="mine")
    Site(connection, tmp_path).run()
    assert job_of(server, job_id)["status"] == "FINISHED", log_of(server, job_id)
    nothing_is_left(server, connection, "granted", [1])

    # Dropped while it trains: what was trained is kept, and nothing is deployed.
    again = submit(server, "granted", "lightgcn", {"dimension": 8, "epochs": 1}, graph="mine")
    site = Site(connection, tmp_path)
    site.at("Exporting", lambda lease: server.execute("CALL gds.graph.drop('mine') YIELD graphName FINISH"))
    site.run()
    job = job_of(server, again)
    assert job["status"] == "FAILED"
    assert "Project again and train" in job["message"]
    assert f"gnn4j deploy {tmp_path / again / 'model.zip'}" in job["message"]
    assert (tmp_path / again / "model.zip").exists()
    nothing_is_left(server, connection, "granted", [1])

    # Projected anew under the same name before a worker came: another graph is never taken in silence.
    server.execute(project)
    other = submit(server, "granted", "lightgcn", {"dimension": 8, "epochs": 1}, graph="mine")
    server.execute("CALL gds.graph.drop('mine') YIELD graphName FINISH")
    server.execute(project)
    assert Site(connection, tmp_path).worker.run(once=True) == 0
    assert job_of(server, other)["status"] == "FAILED"
    server.execute("CALL gds.graph.drop('mine') YIELD graphName FINISH")


def test_node_properties_of_gds_are_computed_without_the_test_part_and_served(world, tmp_path):
    server, connection = world
    job_id = submit(
        server,
        "featured",
        "graphsage",
        {"dimension": 8, "epochs": 1, "fanouts": "3,2"},
        steps=[("gds.fastRP", {"mutateProperty": "fast", "embeddingDimension": 8, "randomSeed": 1})],
        features=["fast", "price"],
        training={"refit": False},
    )
    Site(connection, tmp_path).run()
    job = job_of(server, job_id)
    assert job["status"] == "FINISHED", log_of(server, job_id)
    schema = Registry(connection).manifest("featured", 1)["schema"]["nodes"]
    assert [one["property"] for one in schema["Item"]["properties"]][:2] == ["price", "fast"]
    assert [one["property"] for one in schema["User"]["properties"]] == ["fast"]
    rows = server.execute(
        "MATCH (u:User {id: 7}) CALL gnn.recommend.stream(u, {model: 'featured', topK: 3}) "
        "YIELD origin RETURN origin"
    )
    assert [row["origin"] for row in rows] == ["exact"] * 3
    nothing_is_left(server, connection, "featured", [1])


# ---------------------------------------------------------------- what happens on the way


def test_a_job_that_is_cancelled_while_it_trains_leaves_nothing(world, tmp_path):
    server, connection = world
    job_id = submit(server, "stopped", "mf-bpr", LONG)
    site = Site(connection, tmp_path)
    site.at("Trying", lambda lease: server.execute("CALL gnn.job.cancel($id) YIELD status FINISH", id=job_id))
    site.run()
    assert job_of(server, job_id)["status"] == "CANCELED"
    nothing_is_left(server, connection, "stopped", [])
    assert not (tmp_path / job_id).exists()


def test_a_worker_that_lost_its_lease_drops_the_job_and_the_other_one_finishes_it(world, tmp_path):
    server, connection = world
    job_id = submit(server, "taken", "mf-bpr", QUICK)
    first, second = Site(connection, tmp_path / "a"), Site(connection, tmp_path / "b", "w2")

    def overtaken(lease):
        expire(server, job_id)
        second.run()

    first.at("Loading the artefact", overtaken)
    first.run()
    job = job_of(server, job_id)
    assert (job["status"], job["attempt"], job["worker"]) == ("FINISHED", 2, "w2")
    assert any("no checkpoint of this data is here" in line for line in log_of(server, job_id))
    nothing_is_left(server, connection, "taken", [1])


def test_the_job_of_a_worker_that_was_killed_goes_on_from_its_checkpoint(world, tmp_path):
    server, connection = world
    job_id = submit(server, "killed", "mf-bpr", {"dimension": 8, "epochs": 6})
    script = f"""
import os, signal
from pathlib import Path
import neo4j
from gds_pipelines.connection import Connection, Target
from gds_pipelines.worker.channel import JobChannel
from gds_pipelines.worker.graphs import sweep
from gds_pipelines.worker.loop import Worker
from gds_pipelines.worker.training import TrainingWork
target = Target({server.uri!r}, "gnn_worker", os.environ["SECRET"], None, "test")
driver = neo4j.GraphDatabase.driver(target.uri, auth=(target.user, target.password))
connection = Connection(driver, target)
training = TrainingWork(connection, Path({str(tmp_path)!r}), "doomed", 1)

def work(lease, beat):
    note, say, phase = beat.note, beat.say, []
    def noted(**values):
        note(**values)
        if phase and values.get("epoch") == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    def said(message, level="INFO"):
        say(message, level)
        if message.startswith("Training"):
            phase.append(message)
    beat.note, beat.say = noted, said
    return training(lease, beat)

Worker(JobChannel(connection), work, name="doomed", device="cpu").run(once=True)
"""
    password = connection.target.password
    killed = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SECRET": password, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert job_of(server, job_id)["status"] == "RUNNING"
    expire(server, job_id)
    Site(connection, tmp_path, "w2").run()
    job = job_of(server, job_id)
    assert (job["status"], job["attempt"], job["worker"]) == ("FINISHED", 2, "w2")
    assert any("goes on from the checkpoint" in line for line in log_of(server, job_id))
    nothing_is_left(server, connection, "killed", [1])


def test_a_worker_that_died_after_its_model_began_to_serve_is_not_repeated(world, tmp_path):
    server, connection = world
    job_id = submit(server, "served", "mf-bpr", QUICK)
    first = Site(connection, tmp_path)
    ended = first.channel.report

    def silent(lease, report):
        if "state" in report and report["state"] == "FINISHED":
            expire(server, job_id)
            Site(connection, tmp_path / "elsewhere", "w2").run()
        return ended(lease, report)

    first.channel.report = silent
    first.run()
    job = job_of(server, job_id)
    assert (job["status"], job["worker"]) == ("FINISHED", "w2")
    assert "serves already" in job["message"]
    assert job["modelInfo"]["metrics"]["NDCG_AT_20"]["test"] > 0
    nothing_is_left(server, connection, "served", [1])


def test_two_workers_race_for_one_job_and_one_has_it(world, tmp_path):
    server, connection = world
    job_id = submit(server, "raced", "mf-bpr", QUICK)
    channel = JobChannel(connection)
    with ThreadPoolExecutor(4) as pool:
        leases = list(pool.map(lambda at: channel.lease(f"racer{at}", "cpu"), range(8)))
    (lease,) = [one for one in leases if one is not None]
    assert lease.job_id == job_id
    Site(connection, tmp_path).worker.do(lease)
    assert job_of(server, job_id)["status"] == "FINISHED"


# ---------------------------------------------------------------- rules


def test_a_warm_start_goes_on_from_the_vectors_that_serve(world, tmp_path):
    server, connection = world
    site = Site(connection, tmp_path)
    submit(server, "warm", "fism", QUICK)
    site.run()
    # Steps too small to see: what comes out is what it began with.
    still = QUICK | {"learningRate": 1e-12}
    job_id = submit(server, "warm", "fism", still, training={"warmStart": True})
    site.run()
    assert job_of(server, job_id)["status"] == "FINISHED", log_of(server, job_id)
    assert any("Begins with the vectors of warm:1" in line for line in log_of(server, job_id))
    first, second = (decode(Registry(connection).file("warm", version, VECTORS)) for version in (1, 2))
    assert second.keys.tolist() == first.keys.tolist()
    assert second.vector == pytest.approx(first.vector, abs=1e-5)
    assert second.context == pytest.approx(first.context, abs=1e-5)


def test_only_what_is_better_takes_the_place_of_what_serves(world, tmp_path):
    server, connection = world
    site = Site(connection, tmp_path)
    untrained = {"dimension": 4, "epochs": 1, "learningRate": 1e-9}
    submit(server, "ruled", "mf-bpr", untrained)
    site.run()
    load(server, 60, 120)
    long = {"method": "time", "horizon": "P50D"}  # 232 users have events in the last 50 days
    job_id = submit(server, "ruled", "fism", training={"deploy": "ifBetter"}, split=long)
    site.run()
    job = job_of(server, job_id)
    found = job["modelInfo"]["deployment"]
    assert (found["deployed"], found["against"], found["model"]) == (True, "ruled:1", "ruled:2"), job[
        "message"
    ]
    assert found["comparison"]["low"] > 0
    assert found["comparison"]["users"] >= 200
    assert Registry(connection).target("ruled").version == 2

    # Nothing has happened since ruled:2 was trained, so nothing can show that another one is better.
    worse = submit(server, "ruled", "mf-bpr", untrained, training={"deploy": "ifBetter"})
    site.run()
    job = job_of(server, worse)
    assert job["status"] == "FINISHED"
    assert "only 0 users have events" in job["message"]
    nothing_is_left(server, connection, "ruled", [1, 2])

    kept = submit(server, "ruled", "mf-bpr", untrained, training={"deploy": "never"})
    site.run()
    assert job_of(server, kept)["modelInfo"]["deployment"]["model"] == "ruled:3"
    assert Registry(connection).target("ruled").version == 2
