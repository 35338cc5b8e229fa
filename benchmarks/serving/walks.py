"""The walk on live relationships beside a twin in Python: equal lists, how good they are, how fast."""

from typing import Any

import numba as nb
import numpy as np

from benchmarks.serving.latency import of_clients, summary
from benchmarks.serving.loaded import Loaded
from gds_pipelines import training_run
from gds_pipelines.interactions import Interactions
from gds_pipelines.task import Task

LIMIT = 200_000
"""Relationships read by one step: the default of ``gnn.recommend.stream``."""
K = 20


@nb.njit(cache=True)
def _walk(start, there, back, totals, degrees, alpha, beta, limit, out):
    """Scores of all items into ``out``; ``start`` holds the user's items, newest first."""
    items, weights = start
    user_pointer, users, user_weights = there
    item_pointer, targets, item_weights = back
    user_totals, item_totals = totals
    mass = np.zeros(len(item_pointer) - 1)
    own = weights.sum()
    left = limit
    for position in range(len(items)):
        item = items[position]
        lo, hi = user_pointer[item], user_pointer[item + 1]
        if position > 0 and hi - lo > left:
            break
        left -= hi - lo
        chance = (weights[position] / own) ** alpha
        for at in range(lo, hi):
            mass[users[at]] += chance * (user_weights[at] / item_totals[item]) ** alpha
    reached = np.flatnonzero(mass)
    order = reached[np.argsort(-mass[reached], kind="mergesort")]  # likeliest first, then the smaller index
    left = limit
    cut = False
    for position in range(len(order)):
        user = order[position]
        lo, hi = item_pointer[user], item_pointer[user + 1]
        if position > 0 and hi - lo > left:
            cut = True
            break
        left -= hi - lo
        for at in range(lo, hi):
            out[targets[at]] += mass[user] * (item_weights[at] / user_totals[user]) ** alpha
    for item in range(len(out)):
        out[item] *= max(1, degrees[item]) ** -beta
    return cut


class Twin:
    """RP3beta with the limit of the database's walk, written anew from its description.

    Args:
        train: what the walk goes over; indices ascend by Neo4j id.
    """

    def __init__(self, train: Interactions, alpha: float, beta: float, limit: int = LIMIT) -> None:
        self.train, self.alpha, self.beta, self.limit = train, alpha, beta, limit
        matrix, turned = train.matrix, train.matrix.T.tocsr()
        self.back = matrix.indptr, matrix.indices, matrix.data.astype(np.float64)
        self.there = turned.indptr, turned.indices, turned.data.astype(np.float64)
        self.totals = np.asarray(matrix.sum(axis=1)).ravel(), np.asarray(matrix.sum(axis=0)).ravel()
        self.cut = 0

    def scores(self, user: int) -> np.ndarray:
        """[I] – of items that are seen, too; 0 where the walk does not come."""
        row = slice(self.train.matrix.indptr[user], self.train.matrix.indptr[user + 1])
        items, weights = self.train.matrix.indices[row], self.back[2][row]
        if self.train.times is not None:
            newest = np.lexsort((items, -self.train.times[row]))
            items, weights = items[newest], weights[newest]
        out = np.zeros(self.train.n_items)
        self.cut += _walk(
            (items, weights), self.there, self.back, self.totals, self.train.item_degrees,
            self.alpha, self.beta, self.limit, out,
        )  # fmt: skip
        return out

    def best(self, user: int, k: int = K) -> tuple[np.ndarray, np.ndarray]:
        """Unseen items and their scores, best first, ties to the smaller index; those it comes to alone."""
        scores = self.scores(user)
        scores[self.train.matrix[[user]].indices] = 0.0
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        order = order[scores[order] > 0]
        return order, scores[order]


def measure(loaded: Loaded, alpha: float, beta: float, n_equal: int, n_judged: int, seconds: float
            ) -> dict[str, Any]:  # fmt: skip
    """One row: lists that differ, recall of the twin where the data has a test part, milliseconds.

    Args:
        n_judged: users whose recall is taken, at most.
    """
    task, train = loaded.task, loaded.whole
    twin = Twin(train, alpha, beta)
    key = task.key[task.to]
    statement = (
        f"MATCH (u:`{task.to}` {{`{key}`: $user}}) "
        "CALL gnn.recommend.stream(u, $config) YIELD node, rank, score, origin "
        f"RETURN node.`{task.key[task.recommend]}` AS item, score, origin ORDER BY rank"
    )
    config = {
        "method": "walk", "task": task.to_mapping(), "topK": K,
        "walk": {"alpha": alpha, "beta": beta, "limit": LIMIT},
    }  # fmt: skip
    known = np.flatnonzero(train.user_degrees > 0)
    asked = np.random.default_rng(3).permutation(known)[:n_equal]
    keys = train.user_keys[asked].tolist()
    differing = 0
    for user, one in zip(asked, keys, strict=True):
        rows = loaded.server.execute(statement, user=one, config=config)
        rows = [row for row in rows if row["origin"] == "walk"]
        found = train.items([row["item"] for row in rows]), [row["score"] for row in rows]
        differing += not same(*found, *twin.best(int(user)))
    row = {
        "data set": loaded.dataset, "alpha": alpha, "beta": beta, "limit": LIMIT,
        "users compared": len(asked), "lists that differ": differing, "cut by the limit": twin.cut,
    }  # fmt: skip
    if (test := test_part(loaded)) is not None:
        row |= {f"recall@{K} of the twin": recall(twin, test, n_judged)}
    taken = of_clients(loaded.server, 1, statement, {"config": config}, keys, seconds)
    return row | {name: value for name, value in summary(taken, 1).items() if name != "clients"}


def same(items: Any, scores: Any, expected: np.ndarray, expected_scores: np.ndarray) -> bool:
    """Equal scores rank by rank, and equal items but for those whose scores are equal to 1e-9."""
    if len(items) != len(expected) or not np.allclose(scores, expected_scores, rtol=1e-9, atol=0):
        return False
    tied = np.zeros(len(expected), bool)
    close = np.isclose(expected_scores[1:], expected_scores[:-1], rtol=1e-9, atol=0)
    tied[1:] |= close
    tied[:-1] |= close
    tied[-1:] = True  # its equal may stand behind the end
    return bool((np.asarray(items) == expected)[~tied].all())


def test_part(loaded: Loaded) -> Interactions | None:
    """The pairs that the data set brings for testing, where it does."""
    split = dict(training_run.subject(loaded.dataset).split or {})
    if split.get("method") != "given":
        return None
    types = list(split["test"])
    held_out = loaded.task.to_mapping() | {"via": dict.fromkeys(types, 1.0), "seen": types}
    return training_run.read(loaded.connection, Task.from_mapping(held_out))


def recall(twin: Twin, test: Interactions, n_users: int) -> float:
    """Mean share of a user's test items among the first 20."""
    users = np.flatnonzero(test.user_degrees > 0)
    if n_users < len(users):
        users = np.random.default_rng(4).permutation(users)[:n_users]
    cut, shares = twin.cut, []
    for user in users:
        wanted = test.matrix[[user]].indices
        shares.append(np.isin(twin.best(int(user))[0], wanted).sum() / len(wanted))
    twin.cut = cut
    return float(np.mean(shares))
