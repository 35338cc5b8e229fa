"""`gnn.recommend.stream` against the oracle: 1,000 cases, with changes in the same transaction."""

import random
import time

import numpy as np
import oracle
import pytest
import served_model
from oracle import Shop

pytestmark = pytest.mark.server
DAY = 86_400_000
HISTORY = 5
WEIGHTS = {"BUY": 1.0, "VIEW": 0.25}
CASES = 1000
OPTIONAL = {
    "blend",
    "blockedTypes",
    "candidates",
    "diversity",
    "exclude",
    "exploration",
    "filter",
    "maxPer",
    "method",
    "seen",
}
"""Keys that a generated case may have beside model, topK and concurrency."""


@pytest.fixture(scope="module")
def shop(server):
    """The committed shop: 40 users, 70 items, 8 of them without a vector, ties and parallel events."""
    server.clear()
    for label in ("Item", "User", "Category"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    rng = random.Random(3)
    now = int(time.time() * 1000)
    items = [
        {
            "id": n,
            "price": rng.choice([None, rng.randrange(100), rng.random() * 100]),
            "brand": rng.choice([None, "A", "B", "C", "D"]),
            "inStock": rng.choice([None, True, False]),
            "tags": rng.choice([None, ["red"], ["red", "new"], ["new"]]),
            "made": rng.choice([None, now - rng.randrange(90) * DAY, now + 5 * DAY]),
        }
        for n in range(70)
    ]
    server.execute(
        "UNWIND $items AS item CREATE (i:Item) SET i = item "
        "FOREACH (_ IN CASE WHEN item.id % 3 = 0 THEN [1] END | SET i:Book)",
        items=items,
    )
    server.execute("UNWIND range(0, 39) AS n CREATE (:User {id: n})")
    server.execute("UNWIND range(0, 2) AS n CREATE (:Category {id: n})")
    server.execute(
        "MATCH (i:Item), (c:Category) WHERE (i.id * 7 + c.id) % 4 = 0 CREATE (i)-[:IN_CATEGORY]->(c)"
    )
    events = [
        {
            "user": user,
            "item": min(69, int(rng.expovariate(0.06))),
            "type": rng.choice(["BUY", "VIEW"]),
            "at": rng.choice([None, now - rng.randrange(60) * DAY - DAY // 2]),
        }
        for user in range(36)  # four users have no history
        for _ in range(rng.randrange(1, 14))
    ]
    for kind in WEIGHTS:
        server.execute(
            "UNWIND $events AS e MATCH (u:User {id: e.user}), (i:Item {id: e.item}) "
            f"CREATE (u)-[:{kind} {{at: e.at}}]->(i)",
            events=[event for event in events if event["type"] == kind],
        )
    server.execute(
        "MATCH (u:User), (i:Item) WHERE (u.id * 11 + i.id * 5) % 37 = 0 CREATE (u)-[:DISLIKES]->(i)"
    )
    numbers = np.random.default_rng(5)
    keys = [n for n in range(70) if n % 9 != 4]
    e = numbers.integers(-3, 4, (len(keys), 2)).astype(np.float32)
    c = numbers.normal(size=(len(keys), 2)).astype(np.float32)
    names = {
        "dot": served_model.serve(server, "dot", keys, e, c, history=HISTORY),
        "cosine": served_model.serve(server, "cosine", keys, e, c, history=HISTORY, similarity="cosine"),
    }
    yield read_shop(server, names["dot"]), names
    server.clear()


def read_shop(runner, embedding: str) -> Shop:
    """The graph as this session or transaction sees it."""
    run = runner.execute if hasattr(runner, "execute") else lambda query: list(runner.run(query))
    items = {}
    for record in run(
        f"MATCH (i:Item) RETURN id(i) AS node, properties(i) AS p, labels(i) AS l, i.`{embedding}` AS e"
    ):
        items[record["node"]] = {**record["p"], "labels": set(record["l"]), "e": record["e"]}
    return Shop(
        items=items,
        users={record["node"] for record in run("MATCH (u:User) RETURN id(u) AS node")},
        events=[
            tuple(record.values())
            for record in run("MATCH (u:User)-[r:BUY|VIEW]->(i:Item) RETURN id(u), type(r), id(i), r.at")
        ],
        dislikes=[tuple(r.values()) for r in run("MATCH (u:User)-[:DISLIKES]->(i:Item) RETURN id(u), id(i)")],
        related=[tuple(r.values()) for r in run("MATCH (i:Item)-[:IN_CATEGORY]->(c) RETURN id(i), id(c)")],
        vectors={
            node: np.array(item["e"], np.float32) for node, item in items.items() if item["e"] is not None
        },
    )


def some(rng: random.Random, nodes, most: int) -> list[int]:
    return rng.sample(sorted(nodes), min(len(nodes), rng.randrange(1, most + 1)))


def random_config(rng: random.Random, shop: Shop) -> dict:
    """Every key with some chance, alone and together."""
    config: dict = {"topK": rng.choice([1, 2, 5, 10, 30, 100]), "concurrency": rng.choice([1, 2])}
    config["model"] = rng.choice(["dot", "cosine"])
    if rng.random() < 0.3:
        config["candidates"] = some(rng, shop.items, 40)
    if rng.random() < 0.3:
        config["exclude"] = some(rng, shop.items, 20)
    if rng.random() < 0.2:
        config["maxPer"] = rng.choice(
            [{"brand": 1}, {"brand": 2, "inStock": 3}, {"price": 1}, {"tags": 2, "brand": 3}]
        )
    if rng.random() < 0.3:
        config["seen"] = rng.choice(
            [[], ["BUY"], ["VIEW"], {"BUY": 20 * DAY}, {"BUY": 5 * DAY, "VIEW": 40 * DAY}]
        )
    if rng.random() < 0.2:
        config["blockedTypes"] = ["DISLIKES"]
    if rng.random() < 0.2:
        config["method"] = "popularity"
    if rng.random() < 0.3:
        config.pop("method", None)
        config["blend"] = random_blend(rng, walks="maxPer" not in config)
    if rng.random() < 0.15:
        config["exploration"] = {
            "temperature": rng.choice([0.05, 1.0]),
            "seed": rng.randrange(1000),
            "pool": 40,
        }
    if rng.random() < 0.15 and "walk" not in config.get("blend", {}):
        config["diversity"] = {"weight": rng.choice([0.2, 0.5, 1.0]), "pool": rng.choice([5, 60])}
    conditions = {
        "price": rng.choice([{"gte": 20, "lt": 70.5}, {"gt": 50}, {"ne": 3}, {"lte": rng.randrange(100)}]),
        "brand": rng.choice(["A", ["A", "C"], {"in": ["B"]}, {"eq": "D"}, {"gt": "B"}]),
        "inStock": rng.choice([True, False, {"ne": True}]),
        "tags": rng.choice(["red", ["new", "old"], {"ne": "new"}]),
        "label": "Book",
        "related": {"type": "IN_CATEGORY", "node": rng.choice(shop.related)[1]},
    }
    if rng.random() < 0.4:
        config["filter"] = {
            name: conditions[name] for name in rng.sample(sorted(conditions), rng.randrange(1, 3))
        }
    return config


def random_blend(rng: random.Random, walks: bool) -> dict:
    """Sources, each with some chance; one at least has a weight above 0.

    Args:
        walks: sums of a walk differ in the last digit; where a tie decides about more than two neighbours
            they are left out.
    """
    scale = {
        "vector": ["max", "unit", "none"],
        "walk": ["max", "log", "none"],
        "popularity": ["max", "log", "none"],
    }
    blend: dict = {}
    for name in ("vector", "walk", "popularity"):
        if rng.random() < 0.6 and (walks or name != "walk"):
            weight = rng.choice([0.1, 1.0, 3.0])
            blend[name] = rng.choice([weight, {"weight": weight, "scale": rng.choice(scale[name])}])
    if not blend:
        blend["popularity"] = 1.0
    elif "popularity" not in blend and rng.random() < 0.5:
        blend["popularity"] = rng.choice([-0.4, {"weight": -0.2, "scale": "log", "floor": 0.1}])
    if rng.random() < 0.4:
        blend["recency"] = {
            "weight": rng.choice([-0.5, 0.5]),
            "property": "made",
            "days": rng.choice([1, 30]),
        }
    if rng.random() < 0.4:
        blend["boosts"] = {"sale": {"weight": rng.choice([-1, 0.3]), "filter": {"inStock": True}}}
        blend["boosts"] |= rng.choice(
            [{}, {"new": {"weight": 0.25, "filter": {"tags": ["new"], "label": "Book"}}}]
        )
    return blend


CHANGES = (
    "MATCH (u) WHERE id(u) = $user MATCH (i) WHERE id(i) = $item CREATE (u)-[:BUY {at: $now - $day}]->(i)",
    "MATCH (u) WHERE id(u) = $user MATCH (u)-[r:BUY]->() WITH r LIMIT 2 DELETE r",
    "MATCH (i) WHERE id(i) = $item DETACH DELETE i",
    "MATCH (i) WHERE id(i) = $item REMOVE i:Item",
    "CREATE (i:Item:Book {id: 1000 + $day, price: 25, brand: 'A'}) WITH i MATCH (u) WHERE id(u) = $other "
    "CREATE (u)-[:VIEW]->(i), (u)-[:BUY]->(i)",
    "MATCH (i) WHERE id(i) = $item SET i.brand = 'A', i.price = 30, i.inStock = true",
    "MATCH (u) WHERE id(u) = $user MATCH (i) WHERE id(i) = $item CREATE (u)-[:DISLIKES]->(i)",
)


def call(tx, user: int, config: dict) -> list[tuple]:
    """Nodes cannot be sent, so the query matches them by id."""
    lists = [key for key in ("candidates", "exclude") if key in config]
    sent = {key: value for key, value in config.items() if key not in lists and key != "filter"}
    if isinstance(sent.get("seen"), dict):
        sent["seen"] = {name: f"P{millis // DAY}D" for name, millis in sent["seen"].items()}
    if recency := sent.get("blend", {}).get("recency"):
        half = {
            "property": recency["property"],
            "weight": recency["weight"],
            "halfLife": f"P{recency['days']}D",
        }
        sent["blend"] = {**sent["blend"], "recency": half}
    parts, parameters = ["sent {.*"], {"sent": sent, "user": user, "plain": {}}
    for key in lists:
        parts.append(f"{key}: COLLECT {{ UNWIND $`{key}` AS x MATCH (n) WHERE id(n) = x RETURN n }}")
        parameters[key] = config[key]
    if conditions := config.get("filter"):
        plain = {name: value for name, value in conditions.items() if name != "related"}
        parameters["plain"] = plain
        text = "plain {.*"
        if "related" in conditions:
            parameters["related"] = conditions["related"]["node"]
            node = "HEAD(COLLECT { MATCH (n) WHERE id(n) = $related RETURN n })"
            text += f", related: {{type: 'IN_CATEGORY', node: {node}}}"
        parts.append(f"filter: {text}}}")
    query = (
        "MATCH (u) WHERE id(u) = $user WITH u, $sent AS sent, $plain AS plain CALL gnn.recommend.stream(u, "
        + ", ".join(parts)
        + "}) YIELD node, rank, score, scores, origin RETURN id(node), rank, score, origin, scores"
    )
    rows = [tuple(record.values()) for record in tx.run(query, parameters)]
    for *_, score, origin, scores in rows:
        if origin == "blend" and "relevance" not in scores:
            assert score == pytest.approx(sum(scores.values()), abs=1e-9)
    return [row[:4] for row in rows]


def same(found: list[tuple], expected: list[tuple], blended: bool, millis: int) -> bool:
    """Equal; scores of blends to 1e-6, where items that score alike may change places.

    Args:
        millis: between the two clocks that were read. Recency has at most weight 1/2 and halves at most
            once a day, so a score moves by at most 4.1e-9 in a millisecond.
    """
    if not blended:
        return found == expected
    tolerance = 1e-6 + 4.1e-9 * millis
    at = {row[0]: row for row in expected}
    return [row[1] for row in found] == [row[1] for row in expected] and all(
        row[2] == pytest.approx(wanted[2], rel=1e-6, abs=tolerance)
        and row[3] == wanted[3]
        and (row[0] == wanted[0] or at.get(row[0], row)[2] == pytest.approx(wanted[2], rel=1e-9, abs=1e-9))
        for row, wanted in zip(found, expected, strict=True)
    )


def attempt(session, committed: Shop, names: dict, seed: int, without: frozenset[str] = frozenset()):
    """One generated case, less some keys of its configuration.

    Returns:
        The rows found, and None where they are those of the oracle, else a sentence.
    """
    rng = random.Random(seed)
    with session.begin_transaction() as tx:
        now_shop = committed
        user = rng.choice(sorted(committed.users))
        if rng.random() < 0.5:
            for _ in range(rng.randrange(1, 4)):
                tx.run(
                    rng.choice(CHANGES),
                    user=user,
                    other=rng.choice(sorted(committed.users)),
                    item=rng.choice(sorted(committed.items)),
                    day=rng.randrange(30) * DAY,
                    now=int(time.time() * 1000),
                ).consume()
            now_shop = read_shop(tx, names["dot"])
            now_shop.committed = committed
        config = {k: v for k, v in random_config(rng, now_shop).items() if k not in without}
        begun = int(time.time() * 1000)
        found = call(tx, user, config)
        ended = int(time.time() * 1000)
        embedded = tx.run(
            "MATCH (u) WHERE id(u) = $user CALL gnn.embed.nodes(u, {model: $model}) YIELD embedding "
            "RETURN embedding",
            user=user,
            model=config["model"],
        ).single()
        tx.rollback()
    query = np.array(embedded["embedding"], np.float32)
    expected = oracle.recommend(
        now_shop, user, query, config, begun, similarity=config["model"], weights=WEIGHTS
    )
    loose = {"blend", "diversity", "exploration"} & set(config)
    if same(found, expected, bool(loose), ended - begun):
        return found, None
    return found, f"seed {seed}, without {sorted(without)}: {config}\n{found}\n{expected}"


def shrunk(attempted, seed: int, wrong: str) -> str:
    """The case with as few keys as still disagree; it is to be kept as a folder of ``cypher/cases``."""
    without: frozenset[str] = frozenset()
    for key in sorted(OPTIONAL):
        found = attempted(seed, without | {key})[1]
        if found is not None:
            without, wrong = without | {key}, found
    return wrong


def test_a_thousand_cases_equal_the_oracle(server, shop):
    committed, names = shop
    rows = 0
    with server.driver().session(notifications_min_severity="OFF") as session:
        for seed in range(CASES):
            found, wrong = attempt(session, committed, names, seed)
            assert wrong is None, shrunk(lambda *case: attempt(session, committed, names, *case), seed, wrong)
            rows += len(found)
    assert rows > 5 * CASES


def test_a_case_that_fails_is_shrunk_to_what_it_fails_by():
    """A pretended fault in ``maxPer`` beside ``filter``."""

    def attempted(seed, without):
        return [], None if {"maxPer", "filter"} & without else f"fails without {sorted(without)}"

    assert shrunk(attempted, 1, "") == f"fails without {sorted(OPTIONAL - {'maxPer', 'filter'})}"


def test_a_thousand_users_in_one_call_equal_the_oracle(server, shop):
    committed, names = shop
    users = sorted(committed.users) * 25
    c = context_vectors(server, names["dot"])
    with server.driver().session(notifications_min_severity="OFF") as session:
        found = session.run(
            "UNWIND $users AS x MATCH (u) WHERE id(u) = x WITH collect(u) AS users "
            "CALL gnn.recommend.stream(users, {model: 'dot', concurrency: 2}) "
            "YIELD source, node, rank, score, origin "
            "RETURN collect([id(source), id(node), rank, score, origin]) AS rows",
            users=users,
        ).single()["rows"]
        queries = {
            record["node"]: np.array(record["embedding"], np.float32)
            for record in session.run(
                "MATCH (u:User) WITH collect(u) AS users CALL gnn.embed.nodes(users, {model: 'dot'}) "
                "YIELD node, embedding RETURN id(node) AS node, embedding"
            )
        }
    expected = [
        [user, *row]
        for user in users
        for row in oracle.recommend(committed, user, queries[user], {}, int(time.time() * 1000))
    ]
    assert found == expected
    for user in committed.users:
        by_hand = oracle.user_vector(committed, user, c, WEIGHTS, HISTORY)
        assert queries[user] == pytest.approx(by_hand, abs=1e-5)


def context_vectors(server, embedding: str) -> dict[int, np.ndarray]:
    return {
        record["node"]: np.array(record["c"], np.float32)
        for record in server.execute(
            f"MATCH (i:Item) WHERE i.`{embedding}_c` IS NOT NULL RETURN id(i) AS node, i.`{embedding}_c` AS c"
        )
    }


def test_a_visitor_is_answered_like_a_user_with_that_history(server, shop):
    committed, names = shop
    c = context_vectors(server, names["dot"])
    history, context = sorted(c)[3:6], sorted(c)[8:9]
    total = sum(c[item].astype(np.float64) for item in history + context)
    with server.driver().session(notifications_min_severity="OFF") as session:
        rows = session.run(
            "MATCH (h) WHERE id(h) IN $history WITH collect(h) AS h MATCH (c) WHERE id(c) IN $context "
            "CALL gnn.recommend.stream(null, {model: 'dot', history: h, context: [c], topK: 7}) "
            "YIELD source, node, rank, score, origin RETURN source, id(node) AS node, score, origin",
            history=history,
            context=context,
        ).data()
    query = (total * 4**-0.5).astype(np.float32)
    expected = oracle.recommend(
        committed, None, query, {"history": history, "context": context, "topK": 7}, int(time.time() * 1000)
    )
    assert [row["node"] for row in rows] == [row[0] for row in expected]
    assert [row["score"] for row in rows] == pytest.approx([row[2] for row in expected], abs=1e-5)
    assert {row["source"] for row in rows} == {None}


@pytest.mark.parametrize(
    ("alpha", "beta", "limit", "weights"),
    [
        (1.0, 0.6, 200_000, "share"),
        (0.6, 0.3, 200_000, "share"),
        (1.0, 0.0, 40, "share"),
        (0.8, 1.0, 15, "share"),
        ([1.0, 0.75, 0.9], 0.3, 200_000, "count"),
    ],
)
def test_the_walk_of_every_user_equals_the_oracle(server, shop, alpha, beta, limit, weights):
    committed, _ = shop
    task = {**served_model.TASK, "via": WEIGHTS}
    with server.driver().session(notifications_min_severity="OFF") as session:
        rows = session.run(
            "MATCH (u:User) WITH collect(u) AS users CALL gnn.recommend.stream(users, "
            "{method: 'walk', task: $task, topK: 100, walk: $walk}) YIELD source, node, rank, score, origin "
            "RETURN id(source) AS source, id(node) AS node, rank, score, origin",
            task=task,
            walk={"alpha": alpha, "beta": beta, "limit": limit, "weights": weights},
        ).data()
    for user in committed.users:
        seen = {item for someone, _, item, _ in committed.events if someone == user}
        expected = {
            item: score
            for item, score in oracle.walk(
                committed, user, WEIGHTS, alpha, beta, limit, share=weights == "share"
            ).items()
            if item not in seen
        }
        found = [row for row in rows if row["source"] == user]
        walked = [row for row in found if row["origin"] == "walk"]
        assert [row["rank"] for row in found] == list(range(1, len(committed.items) - len(seen) + 1))
        assert {row["node"]: row["score"] for row in walked} == pytest.approx(expected, rel=1e-9)
        assert walked == sorted(walked, key=lambda row: (-row["score"], row["node"]))
