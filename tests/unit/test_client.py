"""What the Python twin says to Cypher and makes of its answers; the database is a list of expected calls."""

import pandas
import pytest
from graphdatascience import Graph
from neo4j.exceptions import ClientError

from gds_pipelines.client import Gnn, Job, RecommendationModel
from gds_pipelines.client.calls import configuration
from gds_pipelines.errors import PipelineError
from gds_pipelines.task import Task

INFO = {
    "name": "shop",
    "task": {"recommend": "Item", "to": "User"},
    "nodePropertySteps": [],
    "featureProperties": [],
    "splitConfig": {"method": "time"},
    "autoTuningConfig": {},
    "trainingConfig": {},
    "parameterSpace": [],
}
SHOWN = {"jobId": "7", "pipeline": "shop", "modelName": "shop", "status": "FINISHED", "message": None}
INFOS = {"metrics": {"RECALL_AT_20": {"test": 0.3}}, "bestParameters": {"modelName": "fism"}}


class Client:
    """Stands for ``GraphDataScience``: gives one answer after the other and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def run_cypher(self, query, params, mode, auto_commit):
        self.asked.append((query, params, mode, auto_commit))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return pandas.DataFrame(answer if isinstance(answer, list) else [answer])


def graph(name):
    return Graph(name, backend=None)


def test_keys_are_camel_case_ranges_are_maps_and_what_is_inside_stays():
    given = {"embedding_dimension": 64, "layers": (1, 3), "max_per": {"brand_name": 2}, "seed": None}
    assert configuration(given) == {
        "embeddingDimension": 64, "layers": {"range": [1, 3]}, "maxPer": {"brand_name": 2},
    }  # fmt: skip


def test_a_pipeline_is_made_and_filled():
    client = Client(*[INFO] * 4)
    task = Task.from_mapping(
        {"recommend": "Item", "to": "User", "key": {"Item": "id", "User": "id"}, "via": {"BUY": 1}}
    )
    pipeline, info = Gnn(client).pipeline.from_task("shop", task)
    assert (info.name, info.split_config) == ("shop", {"method": "time"})
    pipeline.add_node_property("fastRP", embedding_dimension=8, mutate_property="near")
    pipeline.add_model("lightgcn", layers=(1, 3), learning_rate=0.01)
    pipeline.configure_split(method="random", test_fraction=0.1)
    parameters = [asked[1] for asked in client.asked]
    assert parameters[0]["task"] == task.to_mapping()
    assert parameters[1] == {
        "name": "shop", "procedure": "fastRP", "config": {"embeddingDimension": 8, "mutateProperty": "near"},
    }  # fmt: skip
    assert parameters[2]["config"] == {"layers": {"range": [1, 3]}, "learningRate": 0.01}
    assert parameters[3]["config"] == {"method": "random", "testFraction": 0.1}
    assert {mode for _, _, mode, _ in client.asked} == {"WRITE"}


def test_training_is_submitted_once_and_waited_for_here(monkeypatch):
    monkeypatch.setattr("gds_pipelines.client.jobs._POLL_SECONDS", 0)
    submitted = {"jobId": "7", "status": "PENDING", "modelInfo": None, "trainMillis": 3, "configuration": {}}
    client = Client(INFO, submitted, SHOWN | {"status": "RUNNING"}, SHOWN | {"modelInfo": INFOS})
    pipeline = Gnn(client).pipeline.get("shop")
    model, result = pipeline.train(graph("g"), model_name="shop", wait=True, deploy="never")
    assert isinstance(model, RecommendationModel)
    assert (result.status, result.model_info) == ("FINISHED", INFOS)
    _, parameters, mode, once = client.asked[1]
    assert parameters == {
        "graph": "g", "config": {"pipeline": "shop", "modelName": "shop", "deploy": "never"},
    }  # fmt: skip
    assert (mode, once) == ("WRITE", True)


def test_a_job_that_fails_or_takes_too_long_is_an_error_with_its_message(monkeypatch):
    monkeypatch.setattr("gds_pipelines.client.jobs._POLL_SECONDS", 0)
    submitted = {"jobId": "7", "status": "PENDING"}
    client = Client(INFO, submitted, SHOWN | {"status": "FAILED", "message": "project again and train"})
    with pytest.raises(PipelineError, match="Job 7 is FAILED: project again and train"):
        Gnn(client).pipeline.get("shop").train(None, model_name="shop", wait=True)
    client = Client(SHOWN | {"status": "RUNNING"}, SHOWN | {"status": "RUNNING"})
    with pytest.raises(PipelineError, match="Job 7 is RUNNING after 0 s"):
        Gnn(client).job.get("7").wait(timeout=0)


def test_a_model_knows_what_it_was_measured_with_and_says_nodes_by_id():
    rows = [{"sourceNodeId": 1, "targetNodeId": 9, "rank": 1, "score": 0.5, "origin": "exact"}]
    client = Client(
        {"modelInfo": INFOS}, rows, {"users": 2, "relationshipsWritten": 4, "millis": 1, "configuration": {}}
    )
    model = RecommendationModel("shop", Gnn(client)._calls)
    assert model.metrics() == INFOS["metrics"]
    assert model.predict_stream(graph("g"), top_k=2, max_per={"brand": 1}).to_dict("records") == rows
    assert client.asked[1][1] == {
        "graph": "g", "config": {"modelName": "shop", "topK": 2, "maxPer": {"brand": 1}},
    }  # fmt: skip
    assert model.predict_mutate("g", "LIKELY").relationships_written == 4
    assert client.asked[2][1]["config"] == {
        "modelName": "shop", "topK": 10, "mutateRelationshipType": "LIKELY", "mutateProperty": "score",
    }  # fmt: skip


def test_what_is_not_there_is_none_or_an_error_in_words():
    gone = [{"pipelineName": "shop", "pipelineType": None, "exists": False}]
    client = Client(gone, [], [])
    assert Gnn(client).pipeline.exists("shop") is None
    assert Gnn(client).pipeline.drop("shop") is None
    with pytest.raises(PipelineError, match="No model answers to 'shop'"):
        Gnn(client).model("shop")
    wrong = ClientError("Failed to invoke procedure `gnn.job.show`: Caused by: io.gnn4j.Wrong: No job '8'.")
    wrong._message = wrong.args[0]
    with pytest.raises(PipelineError, match="No job '8'"):
        Job("8", Gnn(Client(wrong))._calls).status()
