"""The worker without a database: what it reads of a lease, how it keeps one, and how each end is told."""

import threading

import numpy as np
import pytest
from neo4j.exceptions import ServiceUnavailable

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_data import GraphData, NodeTable, RelationTable
from gds_pipelines.interactions import Interactions
from gds_pipelines.metrics import METRICS
from gds_pipelines.run import SplitRequest
from gds_pipelines.splits import Leak
from gds_pipelines.task import Task
from gds_pipelines.training import Cancelled, TrainingOptions
from gds_pipelines.tuning import Bounds
from gds_pipelines.worker.channel import Lease, LeaseLost
from gds_pipelines.worker.heartbeat import Heartbeat, plain
from gds_pipelines.worker.job import Candidate, Job
from gds_pipelines.worker.loop import Worker
from gds_pipelines.worker.node_properties import audit
from gds_pipelines.worker.selection import fit_figures, select

QUIET = TrainingOptions(tensorboard=False)
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0},
    "timeProperty": "at",
    "horizon": "P2D",
}


class FakeChannel:
    """Hands out leases and keeps what is reported; ``answers`` is asked for the status of each report."""

    def __init__(self, *jobs: str, answer=lambda report: "RUNNING") -> None:
        self.waiting = list(jobs)
        self.answer = answer
        self.reports: list[tuple[str, dict]] = []
        self.reported = threading.Event()

    def lease(self, worker, device):
        if not self.waiting:
            return None
        return Lease(self.waiting.pop(0), "secret", 1, 0.3, {})

    def report(self, lease, report):
        status = self.answer(report)
        self.reports.append((lease.job_id, report))
        self.reported.set()
        return status

    def states(self, job="j1"):
        return [report["state"] for one, report in self.reports if one == job and "state" in report]

    def last(self, key):
        return [report[key] for _, report in self.reports if key in report][-1]


def worker(channel, work, **more) -> Worker:
    return Worker(channel, work, name="w", device="cpu", poll=0.01, pause=0.05, **more)


# ---------------------------------------------------------------- how jobs end


def test_a_finished_job_reports_what_the_work_gave():
    channel = FakeChannel("j1")
    assert worker(channel, lambda lease, beat: {"message": "Deployed."}).run(once=True) == 1
    assert channel.states()[-1] == "FINISHED"
    assert channel.last("message") == "Deployed."
    assert channel.last("progress") == 1.0


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PipelineError("The split is empty; take another."), "The split is empty; take another."),
        (ZeroDivisionError("1/0"), "The worker failed with ZeroDivisionError: 1/0. See the log of w."),
    ],
)
def test_a_job_that_goes_wrong_fails_with_a_sentence_and_the_next_one_is_done(error, sentence):
    channel = FakeChannel("j1", "j2")

    def work(lease, beat):
        if lease.job_id == "j1":
            raise error
        return {}

    one = worker(channel, work)
    one.run(once=True)
    one.run(once=True)
    assert channel.states("j1")[-1] == "FAILED"
    assert channel.last("log")[-1] == {"level": "ERROR", "message": sentence}
    assert channel.states("j2")[-1] == "FINISHED"


def test_a_cancelled_job_is_stopped_by_the_next_report_and_says_so():
    channel = FakeChannel("j1", answer=lambda report: "CANCELING")

    def work(lease, beat):
        assert beat.canceling.wait(60)
        assert beat.must_stop()
        raise Cancelled("as training does")

    worker(channel, work).run(once=True)
    assert channel.states()[-1] == "CANCELED"


def test_a_worker_that_lost_its_lease_says_nothing_more_and_goes_on():
    refused = threading.Event()

    def answer(report):
        if refused.is_set():
            raise LeaseLost("lease lost: attempt 2 has it")
        return "RUNNING"

    channel = FakeChannel("j1", "j2", answer=answer)

    def work(lease, beat):
        if lease.job_id == "j2":
            return {}
        refused.set()
        assert beat.lost.wait(60)
        channel.reports.clear()
        beat.check()
        raise AssertionError("check let it go on")

    one = worker(channel, work)
    one.run(once=True)
    assert channel.reports == []
    refused.clear()
    one.run(once=True)
    assert channel.states("j2")[-1] == "FINISHED"


def test_a_worker_that_is_told_to_end_hands_its_job_back_and_leases_no_other():
    channel = FakeChannel("j1", "j2")

    def work(lease, beat):
        one.stop()
        assert beat.must_stop()
        raise Cancelled("as training does")

    one = worker(channel, work)
    assert one.run() == 1
    assert channel.states("j1")[-1] == "PENDING"
    assert channel.waiting == ["j2"]


def test_a_database_that_is_away_ends_neither_the_worker_nor_in_a_report():
    channel = FakeChannel("j1", "j2")
    away = iter([True, True, False, False])
    lease = channel.lease

    def gone(name, device):
        if next(away, False):
            raise ServiceUnavailable("no route")
        return lease(name, device)

    channel.lease = gone

    def work(lease, beat):
        if lease.job_id == "j1":
            raise ServiceUnavailable("gone in the middle")
        one.stop()
        return {}

    one = worker(channel, work)
    assert one.run() == 2
    assert not {"FAILED", "FINISHED"} & set(channel.states("j1"))


# ---------------------------------------------------------------- the heartbeat


def test_the_lease_is_renewed_while_nothing_is_said_and_what_failed_to_go_out_goes_with_the_next():
    fail = threading.Event()
    fail.set()

    def answer(report):
        if fail.is_set():
            raise ServiceUnavailable("a moment")
        return "RUNNING"

    channel = FakeChannel("j1", answer=answer)
    with Heartbeat(channel, channel.lease("w", "cpu"), threading.Event(), 0.02) as beat:
        beat.note(epoch=1, metrics={"loss": float("nan")})
        beat.say("first")
        with pytest.raises(ServiceUnavailable):
            beat.confirm(epoch=2)
        fail.clear()
        beat.say("second")
        beat.confirm()
        channel.reported.clear()
        assert channel.reported.wait(60)  # nothing is said any more, and it still reports
    said = [line["message"] for _, report in channel.reports for line in report.get("log", [])]
    assert said == ["first", "second"]
    assert channel.last("epoch") == 2
    assert channel.last("metrics") == {"loss": None}


def test_values_are_plain_for_the_driver_and_no_token_is_shown():
    assert plain({"a": np.float32(0.5), "b": (np.int64(3), float("inf"))}) == {"a": 0.5, "b": [3, None]}
    assert "secret" not in repr(Lease("j1", "secret", 1, 60, {}))


# ---------------------------------------------------------------- what a job asks for


def raw_job(**more):
    pipeline = {
        "name": "shop",
        "task": TASK,
        "nodePropertySteps": [{"procedure": "gds.fastRP", "config": {"mutateProperty": "fast"}}],
        "featureProperties": ["fast"],
        "splitConfig": {"method": "leave-last", "count": 2, "randomSeed": 5},
        "autoTuningConfig": {"maxTrials": 4, "maxMinutes": 0.5},
        "trainingConfig": {"deploy": "ifBetter"},
        "parameterSpace": [
            {"model": "mf-bpr", "config": {"dimension": 8, "learningRate": {"range": [0.01, 0.02]}}}
        ],
    }
    raw = {"pipeline": pipeline, "modelName": "shop", "configuration": {}, "owner": "ann", "graphName": "g"}
    raw["pipeline"] |= more.pop("pipeline", {})
    return raw | more


def test_a_lease_is_read():
    job = Job.of(raw_job())
    assert (job.model_name, job.graph_name, job.owner) == ("shop", "g", "ann")
    assert (job.seed, job.split_seed) == (1, 5)
    assert job.split == SplitRequest("leave-last", 2)
    assert job.candidates == (Candidate("mf-bpr", {"dimension": 8}, {"learning_rate": (0.01, 0.02)}),)
    assert job.tuning == Bounds(4, 30.0)
    assert job.deploy == "ifBetter"
    assert job.steps[0].property == "fast"
    # What the call says goes before what the pipeline says; without a split the task decides.
    called = Job.of(raw_job(configuration={"randomSeed": 9, "deploy": "never"}, pipeline={"splitConfig": {}}))
    assert (called.seed, called.deploy, called.split) == (9, "never", SplitRequest("time"))


def test_all_faults_of_a_job_are_told_at_once():
    faulty = raw_job(
        modelName=None,
        pipeline={
            "task": {**TASK, "to": 3},
            "splitConfig": {"method": "byMoon"},
            "trainingConfig": {"deploy": "maybe"},
            "parameterSpace": [
                {"model": "fismm", "config": {}},
                {"model": "mf-bpr", "config": {"dimension": {"range": [9, 2]}}},
                {"model": "mf-bpr", "config": {"dimensoin": 4}},
                {"model": "mf-ratings"},
            ],
        },
    )
    with pytest.raises(InvalidInput) as caught:
        Job.of(faulty)
    told = str(caught.value)
    for part in (
        "`to`",
        "modelName",
        "byMoon",
        "maybe",
        "Did you mean 'fism'",
        "[low, high]",
        "`dimensoin`",
        "predicts ratings",
    ):
        assert part in told, part


# ---------------------------------------------------------------- the choice of a model


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """60 users of two tastes, 30 items; what their taste is decides what they touch."""
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(60), 12)
    items = (users % 2) * 15 + rng.integers(0, 15, len(users))
    times = rng.integers(0, 10 * 86_400_000, len(users))
    return Interactions.from_events(users, items, 1.0, times, item_keys=np.arange(30))


def test_the_candidate_that_ranks_best_on_validation_wins_and_ranges_are_searched(interactions, tmp_path):
    parts = SplitRequest("time").apply(interactions, Job.of(raw_job()).task, 1)
    found = select(
        [Candidate("popularity"), Candidate("itemknn", {}, {"neighbours": (5, 20)})],
        parts,
        Bounds(3, None),
        tmp_path,
        seed=1,
        options=QUIET,
    )
    assert [one.model for one in found.tried] == ["popularity", "itemknn"]
    assert found.winner.model == "itemknn"
    assert found.tried[1].value > found.tried[0].value
    assert 5 <= found.winner.parameters["neighbours"] <= 20
    assert found.winner.trials == 3
    assert found.winner.value == pytest.approx(
        (found.winner.validation["recall@20"] + found.winner.validation["ndcg@20"]) / 2
    )


def test_figures_on_the_train_part_are_those_of_a_naive_count(interactions):
    model = models.recommender("popularity")().fit(interactions)
    found = fit_figures(model)
    order = sorted(range(30), key=lambda item: (-interactions.item_degrees[item], item))[:10]
    shares = []
    for user in range(60):
        own = set(interactions.matrix.indices[interactions.user_index == user])
        shares.append(len(own & set(order)) / len(own))
    assert found["recall@10"] == pytest.approx(np.mean(shares))
    assert set(found) == {f"{name}@{k}" for name in METRICS for k in (10, 20)}


# ---------------------------------------------------------------- node properties


def test_a_relationship_of_any_type_that_is_a_test_pair_fails_the_audit():
    def relation(type_, source, target, sources, targets):
        return RelationTable(
            source, type_, target, 3, 4, np.array(targets, np.int32), {}, None, np.array(sources, np.int32)
        )

    tables = {name: NodeTable(name, np.arange(count)) for name, count in (("User", 3), ("Item", 4))}
    relations = [
        relation("BUY", "User", "Item", [0, 1], [2, 3]),
        relation("SHOWN_TO", "Item", "User", [1, 3], [2, 0]),
        relation("NEAR", "Item", "Item", [2], [1]),
    ]
    graph = GraphData("g", "now", tables, {(one.source, one.type, one.target): one for one in relations})
    task = Task.from_mapping(TASK)
    audit(task, graph, np.array([0 * 4 + 1, 2 * 4 + 2]))  # (0, 1) and (2, 2) stand nowhere
    with pytest.raises(Leak, match=r"SHOWN_TO \(1\)"):
        audit(task, graph, np.array([0 * 4 + 3]))  # item 3 was shown to user 0
    with pytest.raises(Leak, match=r"BUY \(2\), SHOWN_TO \(1\)"):
        audit(task, graph, np.array([0 * 4 + 2, 1 * 4 + 3, 2 * 4 + 1]))
