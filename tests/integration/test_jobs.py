"""Training jobs over Bolt, with a worker that only speaks: what users see, and what each may touch."""

import threading
import time

import neo4j
import pytest

from gds_pipelines.server import passwords
from gds_pipelines.server.settings import WORKER

GRAPH = """
CREATE (a:User {id: 1}), (b:User {id: 2}), (x:Item {id: 101}), (y:Item {id: 102}),
       (a)-[:BUY {at: 10}]->(x), (b)-[:BUY {at: 20}]->(y)
"""
TASK = {"recommend": "Item", "to": "User", "via": {"BUY": 1.0}, "timeProperty": "at"}
PROJECT = "CALL gds.graph.project('g', ['User', 'Item'], 'BUY') YIELD graphName RETURN graphName"
TRAIN = "CALL gnn.pipeline.train($graph, {pipeline: 'shop', modelName: $model})"


class Worker:
    """Speaks as a worker does, and trains nothing."""

    def __init__(self, driver: neo4j.Driver):
        self.driver = driver

    def call(self, query, **parameters):
        return [record.data() for record in self.driver.execute_query(query, parameters_=parameters).records]

    def lease(self, name="w1"):
        return next(iter(self.call("CALL gnn.job.lease({worker: $name, device: 'cpu'})", name=name)), None)

    def report(self, lease, **report):
        (row,) = self.call(
            "CALL gnn.job.report($id, $token, $report)",
            id=lease["jobId"],
            token=lease["token"],
            report=report,
        )
        return row["status"]

    def export(self, lease, graph="g"):
        return self.call(
            "CALL gnn.graph.export($graph, {jobId: $id, token: $token}) YIELD kind RETURN kind",
            graph=graph,
            id=lease["jobId"],
            token=lease["token"],
        )


@pytest.fixture
def worker(server):
    if server.home is None:
        with server.second_user(WORKER) as driver:
            yield Worker(driver)
    else:
        password = passwords.password_file(server.home, WORKER).read_text(encoding="utf-8").strip()
        yield Worker(server.driver(WORKER, password))


@pytest.fixture
def shop(database):
    for label in ("User", "Item"):
        database.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    database.execute(GRAPH)
    database.execute("CALL gnn.pipeline.fromTask('shop', $task)", task=TASK)
    return database


def train(run, graph=None, model="best"):
    return run(TRAIN, graph=graph, model=model)[0]


def as_user(driver):
    return lambda query, **parameters: driver.execute_query(query, parameters_=parameters).records


def test_a_job_is_queued_with_a_word_on_workers_and_ends_with_what_was_found(shop, worker):
    row = train(shop.execute)
    assert (row["status"], row["modelInfo"], row["trainMillis"]) == ("PENDING", {}, None)
    assert "none is alive. Start one: `gnn4j server start --worker`" in row["message"]
    assert row["configuration"] == {"pipeline": "shop", "modelName": "best", "wait": False}
    lease = worker.lease()
    assert lease["jobId"] == row["jobId"]
    job = lease["job"]
    assert (job["graphName"], job["modelName"], job["checkpointFrom"]) == (None, "best", 0)
    assert job["pipeline"]["task"] == TASK | {"key": {"User": "id", "Item": "id"}}
    assert job["pipeline"]["parameterSpace"] == [{"model": "fism", "config": {}}]
    assert job["pipeline"]["splitConfig"] == {"method": "leave-last"}
    assert worker.lease("w2") is None
    assert (
        worker.report(lease, progress=0.25, epoch=2, metrics={"loss": 0.5}, timeLeftMillis=900) == "RUNNING"
    )
    (listed,) = [record.data() for record in shop.execute("CALL gnn.job.list()")]
    assert (listed["status"], listed["progress"], listed["epoch"]) == ("RUNNING", 0.25, 2)
    assert (listed["worker"], listed["device"], listed["metrics"]) == ("w1", "cpu", {"loss": 0.5})
    assert worker.report(lease, state="FINISHED", modelInfo={"modelName": "best"}) == "FINISHED"
    (shown,) = shop.execute("CALL gnn.job.show($id)", id=row["jobId"])
    assert (shown["status"], shown["progress"], shown["modelInfo"]) == (
        "FINISHED",
        1.0,
        {"modelName": "best"},
    )
    assert shown["finishedAt"] >= shown["startedAt"] >= shown["submittedAt"]
    messages = [record["message"] for record in shop.execute("CALL gnn.job.log($id)", id=row["jobId"])]
    assert messages == ["Taken by worker 'w1', attempt 1 of 3.", "FINISHED."]
    (linked,) = shop.execute(
        "MATCH (:GnnPipeline {name: 'shop'})-[:TRAINED_BY]->(j:GnnJob) RETURN j.id AS id"
    )
    assert linked["id"] == row["jobId"]


def test_a_waiting_call_gets_the_model_and_one_that_is_ended_leaves_the_job_alone(shop, worker):
    found = {}

    def wait(key):
        try:
            found[key] = shop.execute(
                "CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: $key, wait: true})", key=key
            )[0]
        except neo4j.exceptions.Neo4jError as error:
            found[key] = error

    def begun(key):
        thread = threading.Thread(target=wait, args=(key,))
        thread.start()
        return thread, until(lambda: worker.lease())

    thread, lease = begun("first")
    worker.report(
        lease, state="FINISHED", modelInfo={"modelName": "first"}, modelSelectionStats={"trials": 1}
    )
    thread.join(60)
    assert found["first"]["status"] == "FINISHED"
    assert found["first"]["modelInfo"] == {"modelName": "first"}
    assert found["first"]["modelSelectionStats"] == {"trials": 1}
    assert found["first"]["trainMillis"] >= 0

    thread, lease = begun("second")
    worker.report(lease, state="FAILED", message="Out of memory. Take a smaller `dimension`.")
    thread.join(60)
    assert "failed: Out of memory. Take a smaller `dimension`." in str(found["second"])

    thread, lease = begun("third")
    (waiting,) = shop.execute(
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery "
        "WHERE currentQuery STARTS WITH 'CALL gnn.pipeline.train' RETURN transactionId AS id"
    )
    shop.execute("TERMINATE TRANSACTIONS $id", id=waiting["id"])
    thread.join(60)
    assert isinstance(found["third"], neo4j.exceptions.Neo4jError)
    assert worker.report(lease, progress=0.5) == "RUNNING"
    (shown,) = shop.execute("CALL gnn.job.show($id)", id=lease["jobId"])
    assert shown["status"] == "RUNNING"


def until(condition):
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come to that within a minute"
        time.sleep(0.1)
    return value


def test_a_workers_rights_reach_as_far_as_its_lease(shop, worker):
    shop.execute(PROJECT)
    train(shop.execute, "g")
    lease = worker.lease()
    assert worker.export(lease)[0] == {"kind": "schema"}
    with pytest.raises(neo4j.exceptions.ClientError, match="Graph `g` does not exist"):
        worker.call("CALL gnn.graph.export('g')")
    with pytest.raises(neo4j.exceptions.ClientError, match="lease lost"):
        worker.export(lease | {"token": "1-00"})
    with pytest.raises(neo4j.exceptions.ClientError, match="go together"):
        worker.call("CALL gnn.graph.export('g', {jobId: $id})", id=lease["jobId"])
    with pytest.raises(neo4j.exceptions.ClientError, match="Your graphs: none"):
        worker.export(lease, "other")
    with shop.second_user() as bob, pytest.raises(neo4j.exceptions.ClientError, match="may not call"):
        Worker(bob).export(lease)
    rows = worker.call(
        "CALL gnn.graph.sample('g', {jobId: $id, token: $token, seeds: [], seedLabel: 'User', fanOut: [2]}) "
        "YIELD seeds RETURN seeds",
        id=lease["jobId"],
        token=lease["token"],
    )
    assert sum(row["seeds"] for row in rows) == 0
    shop.execute("CALL gds.graph.drop('g') YIELD graphName RETURN graphName")
    with pytest.raises(neo4j.exceptions.ClientError, match=r"was dropped\. Project again and train\."):
        worker.export(lease)
    shop.execute(PROJECT)
    with pytest.raises(neo4j.exceptions.ClientError, match="another one than the job was submitted for"):
        worker.export(lease)
    assert worker.report(lease, state="FAILED", message="gone") == "FAILED"
    with pytest.raises(neo4j.exceptions.ClientError, match="lease lost"):
        worker.report(lease, progress=1.0)


def test_a_projection_that_is_gone_or_another_one_fails_the_job_at_its_lease(shop, worker):
    shop.execute(PROJECT)
    job = train(shop.execute, "g")
    shop.execute("CALL gds.graph.drop('g') YIELD graphName RETURN graphName")
    shop.execute(PROJECT)
    assert worker.lease() is None
    (shown,) = shop.execute("CALL gnn.job.show($id)", id=job["jobId"])
    assert shown["status"] == "FAILED"
    assert shown["message"].endswith("Project again and train.")


def test_cancelling_is_asked_of_a_worker_and_done_at_once_without_one(shop, worker):
    pending = train(shop.execute)["jobId"]
    assert shop.execute("CALL gnn.job.cancel($id)", id=pending)[0]["status"] == "CANCELED"
    assert worker.lease() is None
    running = train(shop.execute)["jobId"]
    lease = worker.lease()
    assert shop.execute("CALL gnn.job.cancel($id)", id=running)[0]["status"] == "CANCELING"
    assert worker.report(lease, epoch=1) == "CANCELING"
    assert worker.report(lease, state="CANCELED") == "CANCELED"
    assert worker.lease() is None


def test_two_users_do_not_see_train_or_cancel_each_others_jobs(shop, worker):
    with shop.second_user() as bob:
        theirs = as_user(bob)
        theirs("CALL gnn.pipeline.fromTask('shop', $task)", task=TASK)
        mine = train(shop.execute, model="mine")["jobId"]
        with pytest.raises(neo4j.exceptions.ClientError, match="belongs to somebody else"):
            train(theirs, model="mine")
        others = train(theirs, model="theirs")["jobId"]
        assert [record["jobId"] for record in shop.execute("CALL gnn.job.list()")] == [mine]
        assert [record["jobId"] for record in theirs("CALL gnn.job.list()")] == [others]
        for query in ("CALL gnn.job.show($id)", "CALL gnn.job.cancel($id)", "CALL gnn.job.log($id)"):
            with pytest.raises(neo4j.exceptions.ClientError, match="You have no job"):
                theirs(query, id=mine)
        lease = worker.lease()
        assert lease["jobId"] == mine
        assert lease["job"]["owner"] == "neo4j"
        (seen,) = theirs("CALL gnn.worker.list()")
        assert (seen["worker"], seen["jobId"]) == ("w1", None)
        (seen,) = shop.execute("CALL gnn.worker.list()")
        assert seen["jobId"] == mine


def test_a_job_that_somebody_wrote_or_changed_gives_a_worker_nothing(shop, worker):
    shop.execute(PROJECT)
    real = train(shop.execute, "g")["jobId"]
    with shop.second_user("mallory") as mallory:
        forge = as_user(mallory)
        # A copy of the owner's own job in all but the task, and one made of nothing.
        forge(
            "MATCH (j:GnnJob {id: $id}) CREATE (f:GnnJob) "
            "SET f = properties(j), f.id = 'copy', f.modelName = 'evil'",
            id=real,
        )
        forge(
            "CREATE (:GnnJob {id: 'made', owner: 'neo4j', status: 'PENDING', pipeline: 'p', frozen: '{}', "
            "modelName: 'm', configuration: '{}', attempt: 0, submittedAt: 1})"
        )
        # The name of the model is sealed, too.
        changed = train(shop.execute, model="mine")["jobId"]
        forge("MATCH (j:GnnJob {id: $id}) SET j.modelName = 'other'", id=changed)
    assert worker.lease()["jobId"] == real
    assert worker.lease("w2") is None
    failed = shop.execute("MATCH (j:GnnJob {status: 'FAILED'}) RETURN j.id AS id, j.message AS message")
    assert {record["id"] for record in failed} == {"copy", "made", changed}
    assert all("not made by gnn.pipeline.train of this server" in record["message"] for record in failed)


def test_a_call_that_waits_for_nobody_says_so_and_leaves_the_job(shop):
    with pytest.raises(neo4j.exceptions.ClientError) as refused:
        shop.execute("CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: 'best', wait: true})")
    assert "no worker is alive. Start one: `gnn4j server start --worker`" in str(refused.value)
    (job,) = [record.data() for record in shop.execute("CALL gnn.job.list() YIELD jobId, status")]
    assert job["status"] == "PENDING"
    assert f"CALL gnn.job.show('{job['jobId']}')" in str(refused.value)
    with pytest.raises(neo4j.exceptions.ClientError) as early:
        shop.execute("CALL gnn.pipeline.predict.stream(null, {modelName: 'best'}) YIELD rank RETURN rank")
    assert f"Job '{job['jobId']}' of yours is to make it, and is PENDING, 0 %" in str(early.value)


def test_a_schedule_trains_again_after_new_events_with_one_open_job_at_a_time(shop, worker):
    (row,) = shop.execute(
        "CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: 'best', afterEvents: 3})"
    )
    lease = worker.lease()
    assert lease["jobId"] == row["jobId"]
    event = "MATCH (a:User {id: 1}), (i:Item) CREATE (a)-[:BUY {at: 30}]->(i)"
    shop.execute(event)
    shop.execute(event)
    assert worker.lease("w2") is None  # 4 new events, but a job of the schedule is open
    worker.report(lease, state="FINISHED")
    again = worker.lease()
    assert again is not None
    assert again["job"]["schedule"] == "shop/best"
    assert again["job"]["pipeline"] == lease["job"]["pipeline"]
    worker.report(again, state="FINISHED")
    assert worker.lease() is None
    shop.execute(event)
    assert worker.lease() is None  # 2 of 3
    listed = [record.data() for record in shop.execute("CALL gnn.job.list()")]
    assert [one["status"] for one in listed] == ["FINISHED", "FINISHED", "SCHEDULED"]
    schedule = listed[2]
    assert (schedule["jobId"], schedule["progress"]) == ("shop/best", pytest.approx(2 / 3))
    assert schedule["message"] == (
        "Trains again after 3 new events, 2 of which are there. CALL gnn.job.cancel('shop/best') ends it."
    )
    (shown,) = [record.data() for record in shop.execute("CALL gnn.job.show('shop/best')")]
    assert shown == schedule | {
        "configuration": {"pipeline": "shop", "modelName": "best", "afterEvents": 3, "wait": False},
        "modelInfo": {},
        "modelSelectionStats": {},
    }
    with shop.second_user() as bob:
        assert bob.execute_query("CALL gnn.job.list()").records == []
        with pytest.raises(neo4j.exceptions.ClientError, match="You have no job 'shop/best'"):
            bob.execute_query("CALL gnn.job.cancel('shop/best')")
    (ended,) = shop.execute("CALL gnn.job.cancel('shop/best')")
    assert ended["status"] == "CANCELED"
    shop.execute(event)
    assert worker.lease() is None


def test_dropping_a_pipeline_ends_its_schedules(shop, worker):
    shop.execute("CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: 'best', afterEvents: 1})")
    worker.report(worker.lease(), state="FINISHED")
    shop.execute("CALL gnn.pipeline.drop('shop')")
    shop.execute("MATCH (a:User {id: 1}), (i:Item) CREATE (a)-[:BUY {at: 30}]->(i)")
    assert worker.lease() is None
    assert [record["status"] for record in shop.execute("CALL gnn.job.list()")] == ["FINISHED"]
