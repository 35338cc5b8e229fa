"""`gnn.evaluate.stream` gives the figures of the Python side, and refuses what would leak."""

import numpy as np
import pytest
import scipy.sparse as sp
import served_model
from neo4j.exceptions import ClientError

from gds_pipelines import models, projection, slices, training_run
from gds_pipelines.connection import connect
from gds_pipelines.deploy import deploy
from gds_pipelines.evaluation import evaluate
from gds_pipelines.metrics import METRICS
from gds_pipelines.models.base import ModelInfo, Recommender
from gds_pipelines.models.kernels import exact_dot
from gds_pipelines.run import Run
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.training import TrainingOptions

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
DAY = 86_400_000
K = [5, 20]
CALL = "CALL gnn.evaluate.stream('held', $config) YIELD method, slice, metric, k, value, users RETURN *"


class Given(Recommender):
    """Vectors that were given, users by the rule of item-propagation/1 with exponent 1/2."""

    info = ModelInfo(name="given", title="Given vectors", source="own", contract=None)

    def __init__(self, e, c):
        super().__init__()
        self.e, self.c = e.astype(np.float32), c.astype(np.float32)

    def _queries(self, histories):
        read = np.diff(histories.matrix.indptr)
        scale = histories.degrees**0.5 / np.maximum(read, 1)
        return (scale[:, None] * (histories.matrix @ self.c)).astype(np.float32)

    def _fit(self, interactions, validation, options):
        pass

    def _score(self, histories, users):
        return self._queries(histories) @ self.e.T

    def _exact(self, histories, users, items):
        return exact_dot(self._queries(histories), self.e, items)

    def _state(self):
        return {}

    def _restore(self, state):
        pass


@pytest.fixture(scope="module")
def world(shop):
    """The shop's pairs, a projection of them, the last 14 days as the cut, and a model that stopped there."""
    with connect(shop.uri, shop.user, shop.password) as connection:
        task = training_run.subject("shop").task
        whole = training_run.read(connection, task)
        cut = int(whole.times.max()) + 1 - 14 * DAY
        train = whole.keep(whole.times < cut)
        _, _, right = sp.linalg.svds(train.matrix.astype(float), 2, v0=np.ones(min(train.matrix.shape)))
        noise = np.random.default_rng(1).normal(0, 0.01, right.T.shape)  # no two items alike
        e, c = right.T + noise, right.T - noise
        training = {
            "graph": {"nodes": {}, "relationships": {}},
            "seed": 1,
            "hyperparameters": {},
            "cutoff": cut,
        }
        options = {"task": task.to_mapping(), "training": training}
        served_model.serve(shop, "judged", whole.item_keys.tolist(), e, c, **options)
        options["training"] = training | {"cutoff": None}
        served_model.serve(shop, "undated", whole.item_keys.tolist(), e, c, **options)
        projection.project(connection, task, "held")
        yield whole, train, cut, Given(e, c)
        projection.drop(connection, "held")
    for name in ("judged", "undated"):
        shop.execute("MATCH (a:GnnAlias {name: $name}) DETACH DELETE a", name=name)
        shop.execute("CALL gnn.model.drop($name) YIELD version FINISH", name=name)


def test_figures_equal_those_of_python(shop, world):
    whole, train, cut, given = world
    test = whole.keep(whole.times >= cut)
    walk = {"alpha": 1.0, "beta": 0.6}
    config = {"model": "judged", "truth": {"after": cut}, "k": K, "slices": ["activity"], "concurrency": 2}
    config["walk"] = walk
    found = {
        (row["method"], row["slice"], row["metric"], row["k"]): (row["value"], row["users"])
        for row in shop.execute(CALL, config=config)
    }
    recommenders = {
        "vector": given,
        "popularity": models.recommender("popularity")(),
        "walk": models.recommender("rp3beta")(walk),
    }
    expected = {}
    for method, model in recommenders.items():
        judged = evaluate(model.fit(train), test, k=K, names=tuple(METRICS))
        for name in (*METRICS, "coverage", "novelty"):
            for k in K:
                expected[method, "all", name, k] = judged.figure(name, k), len(judged.users)
                if name in METRICS:
                    parts = slices.by_users(judged, train, judged.values[name, k])
                    for part, figure in parts.items():
                        key = (method, f"activity={part}", name, k)
                        expected[key] = figure["value"], figure["users"]
    assert found.keys() == expected.keys()
    for key, (value, users) in expected.items():
        assert found[key] == (pytest.approx(value, abs=1e-9), users), key
    assert found["vector", "all", "recall", 20][0] > 0.02


SMALL = {"dimension": 8, "iterations": 2, "epochs": 1, "weight": 1.0, "popularity": -0.3, "freshness": 0.5}
SMALL |= {"walk_user": 0.8}
ROUNDED = {"auto", "graphsage"}
"""Sums in float32, in an order of its own in Python: here and there two neighbours change places."""


# A model of each contract; ``auto`` adds a walk and popularity to its vectors.
@pytest.mark.parametrize("name", ["ials", "itemknn", "userknn", "auto", "graphsage"])
def test_figures_of_other_contracts_equal_those_of_python(shop, world, name, tmp_path):
    whole, _, cut, _ = world
    task, recommender = training_run.subject("shop").task, models.recommender(name)
    if recommender.reads_features:
        with connect(shop.uri, shop.user, shop.password) as connection:
            whole = training_run.read(connection, task, features=True)
    train = whole.keep(whole.times < cut)
    most = max(train.user_degrees.max(), train.item_degrees.max())  # all: draws are by id, in Python by index
    settings, known = {**SMALL, "fanouts": f"{most},{most}"}, recommender.Parameters.__dataclass_fields__
    model = recommender({key: value for key, value in settings.items() if key in known}, seed=1)
    model.fit(train, options=TrainingOptions(threads=1, tensorboard=False)).save(tmp_path / "model")
    sizes = {"users": train.n_users, "items": train.n_items, "pairs": len(train)}
    run = Run(
        tmp_path, task.to_mapping(), name, model.parameters.to_mapping(), 1, "by time", cut, False, sizes,
        created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    with connect(shop.uri, shop.user, shop.password) as connection:
        deploy(connection, artefact_of(run), name="judged_too", keep_previous=0)
    config = {"model": "judged_too", "methods": ["vector"], "truth": {"after": cut}, "k": K, "concurrency": 2}
    rows = shop.execute(CALL, config=config)
    judged = evaluate(model, whole.keep(whole.times >= cut), k=K, names=tuple(METRICS))
    assert len(rows) == (len(METRICS) + 2) * len(K)
    assert {row["users"] for row in rows} == {len(judged.users)}
    off = sorted(abs(row["value"] - judged.figure(row["metric"], row["k"])) for row in rows)
    assert off[-1] <= (1 / len(judged.users) if name in ROUNDED else 1e-9)
    assert off[len(off) // 2] <= 1e-9
    with pytest.raises(ClientError, match=rf"before its cut-off, {cut} \("):
        shop.execute(CALL, config={**config, "truth": {"after": cut - DAY}})
    shop.execute("MATCH (a:GnnAlias {name: 'judged_too'}) DETACH DELETE a")
    shop.execute("CALL gnn.model.drop('judged_too') YIELD version FINISH")


def test_only_named_behaviours_are_held_out_and_a_sample_is_repeatable(shop, world):
    cut = world[2]
    config = {"truth": {"types": ["BUY"], "after": cut}, "k": 10, "metrics": ["recall"], "model": "judged"}
    (buyers,) = shop.execute(
        "MATCH (u:User)-[r:BUY]->() WHERE r.at >= $cut RETURN count(DISTINCT u) AS users", cut=cut
    )
    popular = {**config, "methods": ["popularity"]}
    (everyone,) = shop.execute(CALL, config=popular)
    assert everyone["users"] == buyers["users"]
    (some,) = shop.execute(CALL, config={**popular, "sampleUsers": 20, "randomSeed": 3})
    (again,) = shop.execute(CALL, config={**popular, "sampleUsers": 20, "randomSeed": 3})
    assert some == again
    assert some["users"] == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "undated"}, "has seen what is held out: its manifest has no training cut-off"),
        ({"model": "shop"}, "has seen some of what is held out"),  # it was trained once more on everything
        (
            {"truth": {"where": {"weight": {"gte": 0}}}, "methods": ["walk"]},
            "leaves nothing to know users by",
        ),
        ({"truth": {"where": {"wieght": 1}}}, "have no property 'wieght'"),
        ({"truth": {"after": 9_999_999_999_999}}, "holds nothing out"),
        ({"truth": {"types": ["BYU"], "after": 1}}, "Did you mean `BUY`"),
        (
            {"truth": {"where": {"weight": {"gte": 1, "lt": None}}}},
            r"`truth\.where\.weight\.lt` must be a number",
        ),
        ({"task": served_model.TASK, "methods": ["walk"]}, "`model` and `task` are both given"),
        ({"truth": {}, "k": 0, "metrics": ["recal"]}, "(?s)must say which.*Did you mean `recall`"),
    ],
)
def test_what_would_leak_or_cannot_be_is_refused(shop, world, change, message):
    config = {"model": "judged", "truth": {"after": world[2]}, **change}
    with pytest.raises(ClientError, match=message):
        shop.execute(CALL, config=config)


def test_what_a_model_was_trained_on_is_not_held_out(shop, world):
    config = {"model": "judged", "truth": {"after": world[2] - DAY}}
    with pytest.raises(ClientError, match=rf"before its cut-off, {world[2]} \("):
        shop.execute(CALL, config=config)


def test_another_users_graph_is_not_judged(shop, world):
    config = {"model": "judged", "truth": {"after": world[2]}, "methods": ["popularity"]}
    assert shop.execute(CALL, config=config)
    with shop.second_user() as other, pytest.raises(ClientError, match=r"gds\.graph\.project"):
        other.execute_query(CALL, config=config)
