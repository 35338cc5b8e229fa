"""The users with the most interactions, for whom collaborative filtering in Cypher follows the most paths."""

import time
from typing import Any

import neo4j
import numpy as np
from neo4j.exceptions import Neo4jError

from benchmarks.serving.latency import of_clients
from benchmarks.serving.loaded import Loaded

K = 10
MODEL = "fism"


def measure(loaded: Loaded, n_users: int, seconds: float, patience: float) -> list[dict[str, Any]]:
    """Milliseconds of ours and of Cypher, for the heaviest users and the medians over them.

    Args:
        patience: seconds after which a query in Cypher is ended; it is counted as if that was all it took.
    """
    task, whole = loaded.task, loaded.whole
    if MODEL not in loaded.served:
        loaded.serve(MODEL)
    (kind,) = task.via
    user, item = task.key[task.to], task.key[task.recommend]
    ours = (
        f"MATCH (u:`{task.to}` {{`{user}`: $user}}) "
        f"CALL gnn.recommend.stream(u, {{topK: {K}, model: '{MODEL}'}}) "
        f"YIELD node, rank RETURN node.`{item}` AS item ORDER BY rank"
    )
    # As Neo4j's guides write it: who liked what you liked, and what else did they like?
    cypher = (
        f"MATCH (u:`{task.to}` {{`{user}`: $user}})-[:`{kind}`]->(:`{task.recommend}`)<-[:`{kind}`]-"
        f"(other:`{task.to}`)-[:`{kind}`]->(item:`{task.recommend}`) "
        f"WHERE NOT EXISTS {{ (u)-[:`{kind}`]->(item) }} "
        f"RETURN item.`{item}` AS item, count(*) AS score ORDER BY score DESC, item LIMIT {K}"
    )
    heaviest = np.argsort(-whole.user_degrees, kind="stable")[:n_users]
    rows = []
    for one in heaviest.tolist():
        key = whole.user_keys[one].item()
        quick = np.median(of_clients(loaded.server, 1, ours, {}, [key], seconds / n_users)) * 1e3
        before = time.perf_counter()
        ended = not finishes(loaded, cypher, key, patience)
        slow = (time.perf_counter() - before) * 1e3
        rows.append(
            {
                "user": f"{int(whole.user_degrees[one]):,} films",
                "gnn.recommend.stream ms": float(quick), "Cypher ms": slow,
                "times as fast": float(slow / quick),
                "Cypher ended": ended,
            }
        )  # fmt: skip
    medians = {name: float(np.median([row[name] for row in rows])) for name in list(rows[0])[1:-1]}
    return [{"user": f"median of the {n_users}"} | medians, *rows]


def finishes(loaded: Loaded, cypher: str, key: Any, patience: float) -> bool:
    """Runs it; whether it was through in time."""
    try:
        with loaded.server.driver.session() as session:
            found = list(session.run(neo4j.Query(cypher, timeout=patience), user=key))
    except Neo4jError as error:
        if "Timed" in str(error.code) or "Terminated" in str(error.code):
            return False
        raise
    if len(found) != K:
        raise RuntimeError(f"Cypher gave {len(found)} rows, expected {K}.")
    return True
