"""Every model of the registry on the made-up shop: what Python ranks is what the database answers.

A new model is tested here by being in the registry; how it answers follows from its contract.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from gds_pipelines import datasets, ingest, models, training_run
from gds_pipelines.connection import Connection, Target
from gds_pipelines.deploy import deploy
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender
from gds_pipelines.run import Run
from gds_pipelines.run_artefact import artefact_of, method_of
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions

K = 10
OLD = 12
SMALL = {"dimension": 16, "epochs": 1, "iterations": 2, "sweeps": 4, "samples": 2, "weight": 1.0}
SMALL |= {"popularity": -0.3, "freshness": 0.5, "walk_user": 0.8}
SMALL |= {"fanouts": "4,3"}  # fewer than most nodes have neighbours: draws must be those of the database
SMALL |= {"surroundings": True}
RANKED = (
    "UNWIND $users AS key MATCH (u:User {id: key}) CALL gnn.recommend.stream(u, $config) "
    "YIELD node, rank, score, origin WITH key, rank, node.id AS item, score, origin ORDER BY key, rank "
    "RETURN key, collect(item) AS items, collect(score) AS scores, collect(origin) AS origins"
)
VISITOR = (
    "UNWIND $items AS key MATCH (i:Item {id: key}) WITH collect(i) AS history, $config AS config "
    "CALL gnn.recommend.stream(null, config {.*, history: history}) YIELD node, rank, score, origin "
    "WITH rank, node.id AS item, score, origin ORDER BY rank "
    "RETURN 0 AS key, collect(item) AS items, collect(score) AS scores, collect(origin) AS origins"
)


@dataclass
class Shop:
    connection: Connection
    task: Task
    interactions: Interactions


@pytest.fixture(scope="module")
def shop(server) -> Shop:
    server.clear()
    connection = Connection(server.driver(), Target(server.uri, server.user, server.password, None, "tests"))
    prepared = datasets.get("shop").prepare()
    ingest.write(ingest.plan_tables(prepared.files, prepared.mapping), connection, None)
    task = training_run.subject("shop").task
    return Shop(connection, task, training_run.read(connection, task, features=True, surroundings=True))


@dataclass
class Served:
    """A trained model and how the database is asked for it."""

    model: Recommender
    contract: str | None
    config: dict


# The encoders of padded-blocks/1 draw alike, so one stands for them; test_embed.py compares each of them.
NAMES = [
    name
    for name in models.registry()
    if name == "graphsage" or models.recommender(name).info.contract != "padded-blocks/1"
]


@pytest.fixture(scope="module", params=NAMES)
def served(request, shop, tmp_path_factory) -> Served:
    name, directory = request.param, tmp_path_factory.mktemp("run")
    known = models.recommender(name).Parameters.__dataclass_fields__
    model = models.recommender(name)({k: v for k, v in SMALL.items() if k in known}, seed=1)
    model.fit(shop.interactions, options=TrainingOptions(threads=1, tensorboard=False))
    payload = model.payload()
    if payload is None:
        config = {"method": method_of(name), "task": shop.task.to_mapping()}
        chosen = model.parameters.to_mapping()
        return Served(model, None, config | ({"walk": chosen} if config["method"] == "walk" else {}))
    model.save(directory / "model")
    sizes = {"users": model.train.n_users, "items": model.train.n_items, "pairs": len(model.train)}
    run = Run(
        directory,
        shop.task.to_mapping(),
        name,
        model.parameters.to_mapping(),
        1,
        "no test part",
        None,
        False,
        sizes,
        created_at="2026-01-01T00:00:00Z",
    )
    report = deploy(shop.connection, artefact_of(run), keep_previous=0)
    assert (report.unmatched_vectors, report.contract) == (0, payload.contract)
    return Served(model, payload.contract, {"model": report.alias})


def check(served: Served, found, items: np.ndarray, scores: np.ndarray, all_scores: np.ndarray) -> None:
    """Rank by rank the same score, and each item the score that Python gives it."""
    train = served.model.train
    answered = train.items(found["items"])
    own = np.array([origin != "popularity" for origin in found["origins"]])
    assert len(answered) == len(set(answered.tolist())) == K
    tolerance = 1e-5 * np.maximum(1, np.abs(scores))
    assert (np.abs(np.array(found["scores"]) - scores) <= tolerance)[own].all()
    assert (np.abs(all_scores[answered] - scores) <= 2 * tolerance)[own].all()
    assert answered[~own].tolist() == items[~own].tolist()


def test_lists_of_old_users_are_those_of_python(served, shop):
    users = np.argsort(-shop.interactions.user_degrees, kind="stable")[
        :: len(shop.interactions.user_keys) // OLD
    ]
    keys = shop.interactions.user_keys[users].tolist()
    rows = shop.connection.execute(RANKED, users=keys, config=served.config | {"topK": K})
    found = {row["key"]: row for row in rows}
    wanted = served.model.recommend(users, K)
    scores = served.model.scores(users).astype(np.float64)
    for row, key in enumerate(keys):
        listed = scores[row]
        if served.contract == "lists/1":
            listed = np.full_like(listed, np.nan)
            listed[wanted.items[row]] = wanted.scores[row]
        check(served, found[key], wanted.items[row], wanted.scores[row], listed)


def test_a_visitor_gets_the_list_of_python(served, shop):
    """Finished lists have nothing for a newcomer: there the database walks."""
    history = np.flatnonzero(shop.interactions.item_degrees)[5::70][:5]
    keys = shop.interactions.item_keys[history].tolist()
    found = shop.connection.execute(VISITOR, items=keys, config=served.config | {"topK": K})[0]
    assert not set(found["items"]) & set(keys)
    if served.contract == "lists/1":
        assert set(found["origins"]) == {"walk"}
        assert len(found["items"]) == K
        return
    if served.contract == "padded-blocks/1":  # the database means vectors, Python has no node to draw from
        assert set(found["origins"]) == {"cold"}
        assert len(found["items"]) == K
        return
    wanted = served.model.recommend_cold([history.tolist()], K)
    scores = served.model.cold_scores([history.tolist()])[0].astype(np.float64)
    check(served, found, wanted.items[0], wanted.scores[0], scores)
    if served.contract == "vectors/1":
        assert set(found["origins"]) == {"cold"}


def test_a_user_made_a_moment_ago_gets_a_full_list(served, shop):
    with shop.connection.driver.session() as session, session.begin_transaction() as tx:
        tx.run(
            "MATCH (i:Item) WITH i ORDER BY i.id LIMIT 3 WITH collect(i) AS items CREATE (u:User {id: -1}) "
            "FOREACH (i IN items | CREATE (u)-[:BUY {at: 1}]->(i))"
        ).consume()
        row = tx.run(RANKED, users=[-1], config=served.config | {"topK": K}).single(strict=True)
        seen = tx.run("MATCH (:User {id: -1})-[:BUY]->(i) RETURN collect(i.id) AS seen").single()["seen"]
        tx.rollback()
    assert len(set(row["items"])) == K
    assert not set(row["items"]) & set(seen)
