"""`gnn.explain.stream` on the generated shop: what each purchase adds, checked by taking it away."""

import json
import random
import threading
import time

import numpy as np
import pytest
import served_model
from neo4j.exceptions import ClientError, Neo4jError

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
PAIRS = 12
SCORE = (
    "MATCH (u:User {id: $user}), (i:Item {id: $item}) "
    "CALL gnn.recommend.stream(u, {candidates: [i], seen: [], model: $model}) YIELD score, origin "
    "RETURN score, origin"
)
EXPLAIN = (
    "MATCH (u:User {id: $user}), (i:Item {id: $item}) CALL gnn.explain.stream(u, i, $config) "
    "YIELD path, contribution, text RETURN path, contribution, text"
)


@pytest.fixture(scope="module")
def half(shop):
    """A second model over the shop, whose users are divided by the root of their degree; gone afterwards."""
    numbers = np.random.default_rng(3)
    keys = [row["id"] for row in shop.execute("MATCH (i:Item) RETURN i.id AS id ORDER BY id")]
    served_model.serve(shop, "half", keys, *numbers.normal(size=(2, len(keys), 2)))
    yield "half"
    shop.execute("MATCH (a:GnnAlias {name: 'half'}) DETACH DELETE a")
    shop.execute("CALL gnn.model.drop('half') YIELD version FINISH")


@pytest.fixture
def pairs(shop):
    """Users and items out of their lists."""
    rows = shop.execute(
        "MATCH (u:User) WHERE COUNT { (u)-[:BUY]->() } > 2 WITH u ORDER BY u.id LIMIT 60 "
        "CALL gnn.recommend.stream(u, {topK: 30, model: 'shop'}) YIELD node, origin WHERE origin = 'exact' "
        "RETURN u.id AS user, node.id AS item"
    )
    return [(row["user"], row["item"]) for row in random.Random(7).sample(rows, PAIRS)]


def exponent(shop, model: str) -> float:
    """p of the model's manifest: a user is the sum of its items, over its degree to the power of p."""
    rows = shop.execute("CALL gnn.model.export($model) YIELD file, bytes RETURN file, bytes", model=model)
    return json.loads(rows[0]["bytes"])["propagation"]["exponent"]


@pytest.mark.parametrize("model", ["shop", "half"])
def test_contributions_add_up_and_taking_an_item_away_takes_its_part(shop, half, pairs, model):
    """Score without j = (score - contribution of j) * (degree / (degree - 1))^p."""
    p = exponent(shop, model)
    config = {"model": model}
    with shop.driver().session() as session:
        for user, item in pairs:
            before = session.run(SCORE, user=user, item=item, model=model).single()["score"]
            rows = list(session.run(EXPLAIN, user=user, item=item, config=config))
            degree = len(rows)
            assert degree == len({row["path"].nodes[1].element_id for row in rows})
            assert sum(row["contribution"] for row in rows) == pytest.approx(before, abs=1e-5)
            assert rows == sorted(rows, key=lambda row: -row["contribution"])
            taken = random.Random(user).choice(rows)
            with session.begin_transaction() as tx:
                tx.run(
                    "MATCH (u:User {id: $user})-[r]->(i) WHERE elementId(i) = $via DELETE r",
                    user=user,
                    via=taken["path"].nodes[1].element_id,
                ).consume()
                after = tx.run(SCORE, user=user, item=item, model=model).single()["score"]
                tx.rollback()
            assert after == pytest.approx(
                (before - taken["contribution"]) * (degree / (degree - 1)) ** p, abs=1e-5
            )


def test_paths_are_the_strongest_real_ones(shop, half, pairs):
    """Cypher lists all walks of that length with what the node between says: the path given is the best."""
    config = {"types": ["BUY", "IN_CATEGORY"], "model": "shop"}
    compared = 0
    for user, item in pairs[:4]:
        for row in shop.execute(EXPLAIN, user=user, item=item, config=config)[:6]:
            nodes = row["path"].nodes
            best = shop.execute(
                "MATCH (via)-[a:BUY|IN_CATEGORY]-(x)-[b:BUY|IN_CATEGORY]-(i:Item {id: $item}) "
                "WHERE elementId(via) = $via AND NOT (x:User AND x.id = $user) "
                "WITH DISTINCT x, 1.0 / COUNT { (x)-[:BUY|IN_CATEGORY]-() } AS strength "
                "ORDER BY strength DESC, id(x) LIMIT 1 RETURN elementId(x) AS x",
                item=item,
                user=user,
                via=nodes[1].element_id,
            )
            assert nodes[0]["id"] == user
            if best:
                assert [nodes[-1]["id"], nodes[2].element_id] == [item, best[0]["x"]]
                compared += 1
    assert compared > 12


def test_a_template_is_filled_in_from_the_path(shop, half, pairs):
    user, item = pairs[0]
    config = {"template": "Because you bought {via.title}", "model": "shop"}
    rows = shop.execute(EXPLAIN, user=user, item=item, config=config)
    expected = [f"Because you bought {row['path'].nodes[1]['title']}" for row in rows]
    assert [row["text"] for row in rows] == expected


@pytest.mark.parametrize(
    ("match", "config", "message"),
    [
        ("MATCH (a:User {id: 1}) CREATE (b:Item)", {}, "has no vector in model 'shop:"),
        ("MATCH (a:User {id: 1}), (b:User {id: 2})", {}, "is no `Item`"),
        ("MATCH (a:Category), (b:Item {id: 1}) WITH a, b LIMIT 1", {}, "is neither a `User` nor a `Item`"),
        ("MATCH (a:User {id: 1}), (b:Item {id: 1})", {"types": ["BUYS"]}, "Did you mean `BUY`"),
        (
            "MATCH (a:User {id: 1}), (b:Item {id: 1})",
            {"template": "As {via.titel}"},
            r"\{via.titel\}.*Did you mean `title`",
        ),
    ],
)
def test_a_wrong_call_gets_one_sentence(shop, half, match, config, message):
    call = f"{match} WITH a, b CALL gnn.explain.stream(a, b, $config) YIELD path RETURN path"
    with pytest.raises(ClientError, match=message):
        shop.execute(call, config={"model": "shop", **config})


def test_a_terminated_explanation_ends_and_lets_go_of_its_model(shop):
    query = (
        "MATCH (u:User)-[:BUY]->(i:Item) WITH u, i ORDER BY u.id, i.id LIMIT 20 UNWIND range(1, 200000) AS n "
        "CALL gnn.explain.stream(u, i, {model: 'shop'}) YIELD contribution RETURN sum(contribution)"
    )
    running = (
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery = $text RETURN transactionId"
    )
    in_use = "CALL gnn.memory.list() YIELD inUse WHERE inUse RETURN inUse"
    ended = []

    def ask():
        with shop.driver().session() as session:
            try:
                session.run(query).consume()
            except Neo4jError as error:
                ended.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: shop.execute(running, text=query))
    for record in shop.execute(running, text=query):
        shop.execute("TERMINATE TRANSACTION $id", id=record["transactionId"])
    asking.join(90)
    assert ended, "it went on"
    assert "erminated" in ended[0]
    until(lambda: not shop.execute(running, text=query) and not shop.execute(in_use))


def until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
