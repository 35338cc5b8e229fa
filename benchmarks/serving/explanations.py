"""Explanations checked by doing what they say: an item leaves the history, the score is asked for again."""

import json
import random
from typing import Any

import numpy as np

from benchmarks.serving.loaded import Loaded

MODELS = ("fism", "itemknn", "graphsage")
LONGEST = 500
"""Histories that a model reads whole: beyond it an item that goes lets an older one in."""
DRAWN = 20
"""The same for graphsage: of longer histories so many items are drawn, and without one of them others are."""
SIZES = {"graphsage": (DRAWN, None)}
"""Most items of the users that are asked about, where they are not ``LONGEST``; None: any users."""
TOLERANCE = 1e-5


class Asked:
    """What one model says of pairs, as things are and with an item taken away."""

    def __init__(self, loaded: Loaded, model: str) -> None:
        task = loaded.task
        user, item = task.key[task.to], task.key[task.recommend]
        self.loaded, self.model = loaded, model
        pair = f"MATCH (u:`{task.to}` {{`{user}`: $user}}), (i:`{task.recommend}` {{`{item}`: $item}}) "
        self.score_of = (
            f"{pair} CALL gnn.recommend.stream(u, {{candidates: [i], seen: [], model: $model}}) "
            "YIELD score, origin RETURN score, origin"
        )
        self.explain = (
            f"{pair} CALL gnn.explain.stream(u, i, {{model: $model}}) YIELD path, contribution "
            "RETURN path IS NULL AS rest, contribution, "
            f"CASE WHEN path IS NOT NULL THEN nodes(path)[1].`{item}` END AS via"
        )
        self.take_away = (
            f"MATCH (:`{task.to}` {{`{user}`: $user}})-[r]->(:`{task.recommend}` {{`{item}`: $via}}) "
            "WHERE type(r) IN $types DELETE r"
        )
        self.list = (
            f"MATCH (u:`{task.to}` {{`{user}`: $user}}) "
            "CALL gnn.recommend.stream(u, {topK: 30, model: $model}) "
            f"YIELD node, origin WHERE origin = 'exact' RETURN node.`{item}` AS item"
        )

    def pairs(self, count: int, longest: int | None) -> list[tuple[Any, Any]]:
        """A user and an item out of the first thirty of its list."""
        whole, rng = self.loaded.whole, random.Random(5)
        longest = whole.n_items if longest is None else longest
        users = np.flatnonzero((whole.user_degrees > 2) & (whole.user_degrees <= longest)).tolist()
        found = []
        for one in rng.sample(users, min(count, len(users))):
            key = whole.user_keys[one].item()
            rows = self.loaded.server.execute(self.list, user=key, model=self.model)
            found.append((key, rng.choice(rows)["item"]))
        return found

    def score(self, runner: Any, user: Any, item: Any) -> float:
        return runner.run(self.score_of, user=user, item=item, model=self.model).single()["score"]

    def score_without(self, session: Any, user: Any, item: Any, via: Any) -> float:
        """In a transaction that is rolled back."""
        with session.begin_transaction() as tx:
            tx.run(self.take_away, user=user, via=via, types=list(self.loaded.task.via)).consume()
            found = self.score(tx, user, item)
            tx.rollback()
        return found


def measure(loaded: Loaded, model: str, n_pairs: int, longest: int | None = LONGEST) -> dict[str, Any]:
    """One row: the largest deviations over the pairs, of users with at most ``longest`` items (None: any)."""
    if model not in loaded.served:
        loaded.serve(model, **({"epochs": 1} if model == "graphsage" else {}))
    (version,) = (
        loaded.server.execute(
            "CALL gnn.model.list() YIELD name, contract WHERE name = $model RETURN contract", model=model
        )
    )[:1]
    contract, asked, rng = version["contract"], Asked(loaded, model), random.Random(6)
    exponent = 0.0
    if contract.startswith("item-propagation"):
        rows = loaded.server.execute(
            "CALL gnn.model.export($m) YIELD file, bytes RETURN file, bytes", m=model
        )
        manifest = next(row["bytes"] for row in rows if row["file"] == "manifest.json")
        exponent = json.loads(bytes(manifest))["propagation"]["exponent"]
    sums, deletions, beaten, equal, degrees = [], [], [], [], []
    with loaded.server.driver.session() as session:
        for user, item in asked.pairs(n_pairs, longest):
            before = asked.score(session, user, item)
            rows = list(session.run(asked.explain, user=user, item=item, model=model))
            sums.append(abs(sum(row["contribution"] for row in rows) - before))
            parts = [row for row in rows if not row["rest"]]
            top, other = parts[0], rng.choice(parts[1:])
            degree = len(parts)
            degrees.append(degree)
            after = {}
            for row in (top, other):
                after[row["via"]] = asked.score_without(session, user, item, row["via"])
                grown = (degree / (degree - 1)) ** exponent
                expected = (before - row["contribution"]) * grown
                if expected > TOLERANCE or not contract.startswith("item-weights"):  # else popularity answers
                    deletions.append(abs(after[row["via"]] - expected))
            beaten.append(after[top["via"]] < after[other["via"]])
            equal.append(after[top["via"]] == after[other["via"]])
    of = "users of any size" if longest is None else f"at most {longest} items"
    return {
        "model": f"{model}, {of}", "contract": contract, "pairs": len(sums),
        "items of a user, median": int(np.median(degrees)), "most": max(degrees),
        "sum - score, largest": f"{max(sums):.1e}",
        "score without an item - as stated, largest": f"{max(deletions):.1e}", "deletions": len(deletions),
        "first item counts more than a random one": float(np.mean(beaten)),
        "as much": float(np.mean(equal)),
    }  # fmt: skip
