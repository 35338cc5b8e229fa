"""A graph of users and items as an export gives it, with every shape the samplers must bear."""

import numpy as np

from gds_pipelines.graph_data import Column, GraphData, NodeTable, RelationTable

BUY, SOLD = ("User", "BUY", "Item"), ("Item", "rev_BUY", "User")
USERS, ITEMS = 60, 40


def table(key, pairs, counts, rng):
    """Relationships as an export gives them: by source, then target, parallel ones kept."""
    source, target = np.array(sorted(pairs)).T
    return RelationTable(
        *key,
        counts[key[0]],
        counts[key[2]],
        target.astype(np.int32),
        {"weight": rng.integers(1, 9, len(source)) / 4, "at": rng.integers(0, 50, len(source)).astype(float)},
        None,
        source.astype(np.int32),
    )


def two_types():
    """Two types, three relations, parallel relationships, nodes without any, one hub; ids with gaps."""
    rng = np.random.default_rng(11)
    counts = {"User": USERS, "Item": ITEMS}
    ids = rng.permutation(np.arange(10, 10 + 3 * (USERS + ITEMS)))
    users, items = np.sort(ids[:USERS]), np.sort(ids[USERS : USERS + ITEMS])
    buys = [(int(u), int(i)) for u, i in rng.integers(0, [USERS - 5, ITEMS - 4], (260, 2))]
    buys += [(3, item) for item in range(ITEMS - 4)]
    knows = [(int(u), int(v)) for u, v in rng.integers(0, USERS - 2, (150, 2))]
    views = [(int(u), int(i)) for u, i in rng.integers(0, [USERS, ITEMS], (80, 2))]
    nodes = {
        "User": NodeTable("User", users, {"age": Column("double", rng.random(USERS))}),
        "Item": NodeTable(
            "Item",
            items,
            {
                "price": Column("double", rng.random(ITEMS)),
                "vector": Column("float[]", rng.random((ITEMS, 3)).astype(np.float32)),
                "kind": Column("long", rng.integers(0, 4, ITEMS)),
            },
        ),
    }
    keys = {BUY: buys, ("User", "KNOWS", "User"): knows, ("User", "VIEW", "Item"): views}
    relations = {key: table(key, pairs, counts, rng) for key, pairs in keys.items()}
    return GraphData("shop", "2026-01-01T00:00:00Z", nodes, relations)
