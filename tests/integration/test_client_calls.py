"""The Python twin on a real server: each of its functions says what the Cypher call says.

Both are asked for the same, each on a pipeline or projection of its own where asking changes something.
"""

from datetime import datetime

import numpy as np
import pytest
import served_model
from graphdatascience import GraphDataScience

from gds_pipelines.client import Gnn
from gds_pipelines.errors import PipelineError

pytestmark = pytest.mark.server
USERS, ITEMS = 30, 20
# What differs from call to call: how long it took, and names of the call's own.
OWN = ("name", "millis", "jobId", "submittedAt", "at", "pipeline", "graphName")
STEP = {"mutateProperty": "rank", "maxIterations": 5}


@pytest.fixture(scope="module")
def shop(server):
    served_model.fill(server, ITEMS, USERS, served_model.SCATTERED)
    keys = list(range(1, ITEMS + 1))
    for seed in (1, 2):  # two versions, of which the second serves
        served_model.serve(server, "kept", keys, *np.random.default_rng(seed).normal(size=(2, ITEMS, 2)))
    for name in ("twin", "cypher"):
        server.execute(
            "CALL gds.graph.project($name, ['User', 'Item'], 'BUY') YIELD graphName FINISH", name=name
        )
    yield server
    server.clear()


@pytest.fixture(scope="module")
def gds(shop):
    with GraphDataScience(shop.driver(), show_progress=False) as client:
        yield client


@pytest.fixture(scope="module")
def gnn(gds):
    return Gnn(gds)


def call(server, query, **parameters):
    return [record.data() for record in server.execute(query, **parameters)]


def said(result):
    """Columns of a result object, as Cypher names them."""
    return without(result.model_dump(by_alias=True))


def without(row, *names):
    """A row without what is the call's own."""
    return {
        key: without(value, *names) if isinstance(value, dict) else value
        for key, value in row.items()
        if key not in (*OWN, *names)
    }


def test_a_pipeline_is_made_and_filled_alike(shop, gnn):
    task = {"recommend": "Item", "to": "User", "via": {"BUY": 1.0}, "timeProperty": "at"}
    pipeline, made = gnn.pipeline.from_task("twin", task)
    (row,) = call(shop, "CALL gnn.pipeline.fromTask('cypher', $task)", task=task)
    assert said(made) == without(row)
    steps = [
        (pipeline.add_node_property("pageRank", mutate_property="rank", max_iterations=5),
         "CALL gnn.pipeline.addNodeProperty('cypher', 'pageRank', $step)"),
        (pipeline.select_features("rank"), "CALL gnn.pipeline.selectFeatures('cypher', 'rank')"),
        (pipeline.configure_split(method="random", test_fraction=0.2),
         "CALL gnn.pipeline.configureSplit('cypher', {method: 'random', testFraction: 0.2})"),
        (pipeline.configure_auto_tuning(max_trials=3, max_minutes=1.5),
         "CALL gnn.pipeline.configureAutoTuning('cypher', {maxTrials: 3, maxMinutes: 1.5})"),
        (pipeline.configure_training(deploy="ifBetter", warm_start=True, refit=True),
         "CALL gnn.pipeline.configureTraining('cypher', {deploy: 'ifBetter', warmStart: true, refit: true})"),
        (pipeline.add_model("graphsage", dimension=(8, 32), epochs=2),
         "CALL gnn.pipeline.addModel('cypher', 'graphsage', {dimension: {range: [8, 32]}, epochs: 2})"),
    ]  # fmt: skip
    for answer, query in steps:
        (row,) = call(shop, query, step=STEP)
        assert said(answer) == without(row), query
    assert said(pipeline.details()) == without(row)
    assert said(gnn.pipeline.get("cypher").details()) == without(row)
    (there,) = call(shop, "CALL gnn.pipeline.exists('twin')")
    assert gnn.pipeline.exists("twin").model_dump(by_alias=True) == there
    listed = call(shop, "CALL gnn.pipeline.list()")
    assert gnn.pipeline.list().to_dict("records") == listed
    assert said(pipeline.drop()) == without(row)
    assert gnn.pipeline.drop("twin") is None
    with pytest.raises(PipelineError, match="Pipeline with name `twin` does not exist"):
        gnn.pipeline.drop("twin", fail_if_missing=True)
    assert not pipeline.exists()


def test_a_job_is_submitted_followed_and_cancelled_alike(shop, gds, gnn):
    pipeline, _ = gnn.pipeline.from_task("work", {"recommend": "Item", "to": "User", "via": {"BUY": 1.0}})
    graph = gds.graph.get("twin")
    config = {"pipeline": "work", "modelName": "made"}
    estimate = call(shop, "CALL gnn.pipeline.train.estimate($graph, $config)", graph="twin", config=config)
    assert [pipeline.train_estimate(graph, model_name="made").model_dump(by_alias=True)] == estimate
    assert pipeline.train_estimate(None, model_name="made").bytes_min > estimate[0]["bytesMin"]

    (row,) = call(shop, "CALL gnn.pipeline.train('twin', $config)", config=config | {"deploy": "never"})
    model, result = pipeline.train(graph, model_name="made", deploy="never")
    assert said(result) == without(row)
    assert (result.status, model.exists()) == ("PENDING", False)

    job = pipeline.job(result)
    (shown,) = call(shop, "CALL gnn.job.show($id)", id=job.job_id())
    assert isinstance(job.details().submitted_at, datetime)
    assert said(job.details()) == without(shown)
    assert job.details().submitted_at == shown["submittedAt"].to_native()
    with pytest.raises(PipelineError, match=r"is PENDING after 0 s: .* It goes on"):
        job.wait(timeout=0)
    assert gnn.job.list()["jobId"].tolist() == [row["jobId"], result.job_id]

    cancelled = call(shop, "CALL gnn.job.cancel($id)", id=row["jobId"])[0]
    mine = said(job.cancel())
    for own in ("configuration", "modelInfo", "modelSelectionStats"):  # gnn.job.show alone has them
        mine.pop(own)
    assert {**mine, "finishedAt": None} == {**without(cancelled), "finishedAt": None}
    assert (job.status(), job.done(), job.wait().message) == ("CANCELED", True, cancelled["message"])
    log = call(shop, "CALL gnn.job.log($id, {limit: 1})", id=job.job_id())
    assert job.log(limit=1)[["level", "message"]].to_dict("records") == [
        {key: line[key] for key in ("level", "message")} for line in log
    ]
    assert gnn.worker.list().to_dict("records") == call(shop, "CALL gnn.worker.list()")


def test_a_schedule_is_seen_and_ended_by_its_name(shop, gnn):
    pipeline, _ = gnn.pipeline.from_task("often", {"recommend": "Item", "to": "User", "via": {"BUY": 1.0}})
    _, result = pipeline.train(None, model_name="made", every="P1D")
    schedule = gnn.job.get("often/made")
    (shown,) = call(shop, "CALL gnn.job.show('often/made')")
    assert said(schedule.details()) | {"progress": 0, "timeLeftMillis": 0} == without(shown) | {
        "progress": 0, "timeLeftMillis": 0,
    }  # fmt: skip
    assert schedule.status() == "SCHEDULED"
    with pytest.raises(PipelineError, match="'often/made' is a schedule, and does not end by itself"):
        schedule.wait()
    assert schedule.cancel().status == "CANCELED"
    with pytest.raises(PipelineError, match="You have no job 'often/made'"):
        schedule.details()
    assert pipeline.job(result).cancel().status == "CANCELED"


def test_predictions_are_those_of_cypher_in_every_mode(shop, gds, gnn):
    model = gnn.model("kept")
    config = {"modelName": "kept", "topK": 3}
    streamed = call(
        shop,
        "CALL gnn.pipeline.predict.stream('twin', $config) YIELD source, node, rank, score, origin "
        "RETURN id(source) AS sourceNodeId, id(node) AS targetNodeId, rank, score, origin",
        config=config,
    )
    graph = gds.graph.get("twin")
    assert len(streamed) == 3 * USERS
    assert model.predict_stream(graph, top_k=3).to_dict("records") == streamed
    assert gnn.model("kept:1").predict_stream(graph, top_k=3).to_dict("records") != streamed
    (row,) = call(shop, "CALL gnn.pipeline.predict.stream.estimate('twin', $config)", config=config)
    estimate = model.predict_estimate(graph, top_k=3).model_dump(by_alias=True, exclude_none=True)
    assert estimate == {key: value for key, value in row.items() if value is not None}

    mutate = config | {"mutateRelationshipType": "LIKELY", "mutateProperty": "much"}
    (row,) = call(shop, "CALL gnn.pipeline.predict.mutate('cypher', $config)", config=mutate)
    assert said(model.predict_mutate(graph, "LIKELY", mutate_property="much", top_k=3)) == without(row)
    added = [
        call(
            shop,
            "CALL gds.graph.relationshipProperty.stream($graph, 'much', ['LIKELY']) "
            "YIELD sourceNodeId, targetNodeId, propertyValue "
            "RETURN sourceNodeId, targetNodeId, propertyValue ORDER BY sourceNodeId, targetNodeId",
            graph=name,
        )
        for name in ("twin", "cypher")
    ]
    assert added[0] == added[1]
    assert len(added[0]) == 3 * USERS

    write = config | {"writeRelationshipType": "BY_CYPHER"}
    (row,) = call(shop, "CALL gnn.pipeline.predict.write('twin', $config)", config=write)
    mine = said(model.predict_write(graph, write_relationship_type="BY_TWIN", top_k=3))
    assert mine["configuration"].pop("writeRelationshipType") == "BY_TWIN"
    assert without(row)["configuration"]["writeRelationshipType"] == "BY_CYPHER"
    assert mine == without(row) | {"configuration": without(row["configuration"], "writeRelationshipType")}
    written = [
        call(
            shop,
            "MATCH (u:User)-[list:$($type)]->(i:Item) "
            "RETURN id(u) AS sourceNodeId, id(i) AS targetNodeId, list.rank AS rank, list.score AS score "
            "ORDER BY sourceNodeId, rank",
            type=name,
        )
        for name in ("BY_TWIN", "BY_CYPHER")
    ]
    assert written[0] == written[1]
    assert len(written[0]) == 3 * USERS


def test_a_model_is_described_and_dropped(shop, gnn):
    columns = "name, version, state, aliases, contract, task, metrics, createdAt"
    (row,) = call(shop, f"CALL gnn.model.list() YIELD {columns} WHERE 'kept' IN aliases RETURN {columns}")
    assert gnn.model("kept").details().model_dump(by_alias=True) == row
    with pytest.raises(PipelineError, match="kept"):
        gnn.model("kept").drop()  # it serves
    old = gnn.model("kept:1")
    assert (old.exists(), old.details().version) == (True, 1)
    old.drop()
    assert not old.exists()
    versions = call(shop, "CALL gnn.model.list() YIELD version RETURN version")
    assert versions == [{"version": row["version"]}]
    with pytest.raises(PipelineError, match="No finished job of yours made 'kept'"):
        gnn.model("kept").metrics()
