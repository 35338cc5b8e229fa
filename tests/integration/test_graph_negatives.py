"""`gnn.graph.negatives` against its rule, written out as loops over a graph small enough for that."""

import numpy as np
import pytest
from neo4j.exceptions import ClientError

from gds_pipelines.graph_reader import read_graph
from gds_pipelines.negative_reader import draw_negatives
from gds_pipelines.sampling.twin import hash64

USERS, ITEMS = 40, 30


@pytest.fixture(scope="module")
def shop(server):
    """User 0 has every item by one relation or another, user 1 nothing, user 2 all but one."""
    server.clear()
    server.execute(
        """
        UNWIND range(0, $items - 1) AS n CREATE (i:Item {n: n, vector: [n % 7 - 3.0, n % 5 - 2.0]})
        WITH collect(i) AS items
        UNWIND range(0, $users - 1) AS n
        CREATE (u:User {n: n, vector: CASE n WHEN 7 THEN null ELSE [n % 3 - 1.0, n % 4 - 1.5] END})
        WITH items, u, n
        CALL (items, u, n) {
          UNWIND CASE n WHEN 0 THEN range(0, $items - 1) WHEN 1 THEN [] WHEN 2 THEN range(1, $items - 1)
                 ELSE [r IN range(0, 11) | (n * 7 + r * r * 5) % $items] END AS place
          WITH u, items[place] AS i, place
          FOREACH (x IN CASE place % 3 WHEN 0 THEN [1] ELSE [] END | CREATE (u)-[:VIEW]->(i))
          FOREACH (x IN CASE place % 3 WHEN 1 THEN [1, 2] ELSE [] END | CREATE (u)-[:BUY]->(i))
          FOREACH (x IN CASE place % 3 WHEN 2 THEN [1] ELSE [] END | CREATE (i)-[:SHOWN]->(u))
        }
        """,
        users=USERS,
        items=ITEMS,
    )
    server.execute(
        "CALL gds.graph.project('negatives', {User: {properties: ['vector', 'n']}, "
        "Item: {properties: ['vector', 'n']}}, ['BUY', 'VIEW', 'SHOWN']) YIELD nodeCount RETURN nodeCount"
    )
    yield server.driver()
    server.clear()


@pytest.fixture(scope="module")
def graph(shop):
    return read_graph(shop, "negatives")


@pytest.fixture(scope="module")
def owned(graph):
    """Items by user, over all relations in either direction."""
    found = [set() for _ in range(USERS)]
    for (source, _, _), table in graph.relations.items():
        for one, other in zip(table.sources.tolist(), table.targets.tolist(), strict=True):
            user, item = (one, other) if source == "User" else (other, one)
            found[user].add(item)
    return found


def expected(graph, owned, seeds, count, kind, seed, among, pool=0, skip=0):
    """The rule, one draw after another."""
    stood, rows = {}, []
    popularity = [sum(item in own for own in owned) for item in range(ITEMS)]
    weights = [max(1, int(np.rint(np.sqrt(d) * np.sqrt(np.sqrt(d)) * 1024))) for d in popularity]
    for user in seeds:
        first = stood.get(user, 0)
        stood[user] = first + count
        node_id = int(graph.nodes["User"].node_ids[user])
        draws = [hash64(seed, node_id, 0, 0, first + i) for i in range(count)]
        lacking = [item for item in among if item not in owned[user]]
        if kind == "hard":
            vectors = graph.nodes["Item"]["vector"]
            own = graph.nodes["User"].column("vector").row(user)
            near = [] if own is None else sorted(lacking, key=lambda i: (-float(own @ vectors[i]), i))
            near = near[skip : skip + pool]
            row, k = [], min(count, len(near))
            for i in range(k):
                last = len(near) - k + i
                place = i if len(near) == k else (draws[i] * (last + 1)) >> 64
                row.append(near[last] if near[place] in row else near[place])
        elif kind == "popular":
            line = [item for item in lacking for _ in range(weights[item])]
            row = [line[(h * len(line)) >> 64] for h in draws] if line else []
        else:
            row = [lacking[(h * len(lacking)) >> 64] for h in draws] if lacking else []
        rows.append(row + [-1] * (count - len(row)))
    return rows


@pytest.mark.parametrize("kind", ["uniform", "popular", "hard"])
@pytest.mark.parametrize("some", [False, True])
def test_draws_follow_the_rule_and_are_never_a_positive(shop, graph, owned, kind, some):
    seeds = [*range(USERS), 5, 5, 39]
    among = list(range(3, 25, 2)) if some else list(range(ITEMS))
    ids = graph.nodes["Item"].node_ids
    options = {"vector_property": "vector", "pool": 6, "skip": 1} if kind == "hard" else {}
    found = [
        draw_negatives(
            shop,
            "negatives",
            "User",
            "Item",
            seeds=graph.nodes["User"].node_ids[seeds],
            count=5,
            kind=kind,
            among=ids[among] if some else None,
            random_seed=-17,
            batch_size=batch_size,
            concurrency=threads,
            **options,
        )
        for batch_size, threads in ((1000, 1), (7, 3))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    wanted = expected(graph, owned, seeds, 5, kind, -17, among, options.get("pool"), options.get("skip"))
    assert found[0].tolist() == wanted
    vectors = graph.nodes["User"].column("vector")
    for user, row in zip(seeds, found[0].tolist(), strict=True):
        assert not owned[user] & set(row)
        room = len(set(among) - owned[user])
        nothing = room == 0 or (kind == "hard" and (vectors.row(user) is None or room <= 1))
        assert (set(row) == {-1}) == nothing


def test_what_counts_as_positive_can_be_chosen(shop, graph):
    buys = graph.relation("User", "BUY", "Item")
    own = set(buys.targets[buys.sources == 0].tolist())
    node = graph.nodes["User"].node_ids[:1]
    found = draw_negatives(
        shop, "negatives", "User", "Item", seeds=node, count=500, relationship_types=["BUY"], random_seed=1
    )
    assert set(found[0].tolist()) == set(range(ITEMS)) - own
    everyone = draw_negatives(shop, "negatives", "Item", "User", count=2)
    assert everyone.shape == (ITEMS, 2)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"seedLabel": "Usr", "targetLabel": "Item"},
            "Unknown node label 'Usr' in graph `negatives`. Did you mean `User`?",
        ),
        ({"targetLabel": "Item"}, "`seedLabel` is missing"),
        ({"seedLabel": "User", "targetLabel": "Item", "kind": "hard"}, "needs `property`"),
        ({"seedLabel": "User", "targetLabel": "Item", "pool": 3}, "belongs to `kind` 'hard'"),
        ({"seedLabel": "User", "targetLabel": "Item", "seeds": [-5]}, "is no node of type 'User'"),
        (
            {"seedLabel": "User", "targetLabel": "Item", "kind": "hard", "property": "n"},
            "needs lists of FLOAT",
        ),
        ({"seedLabel": "User", "targetLabel": "Item", "countt": 3}, "Did you mean `count`?"),
    ],
)
def test_faults_are_told(shop, config, words):
    with pytest.raises(ClientError) as caught:
        shop.execute_query(
            "CALL gnn.graph.negatives('negatives', $config) YIELD batch RETURN batch", config=config
        )
    assert words in caught.value.message


def test_another_users_graph_gives_no_negatives(server, shop):
    call = (
        "CALL gnn.graph.negatives('negatives', {seedLabel: 'User', targetLabel: 'Item'}) YIELD batch RETURN 1"
    )
    assert shop.execute_query(call).records
    with server.second_user() as other, pytest.raises(ClientError, match=r"gds\.graph\.project"):
        other.execute_query(call)
