"""What `gnn.recommend.stream` must answer, computed the slow way in float64.

Independent of the plugin: plain dictionaries, every item scored, everything sorted. The user's
vector is given (it comes from a float32 network); all after it must be equal to the last bit.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Shop:
    """A graph by Neo4j id.

    Args:
        items: properties by item; ``labels`` is a set.
        users: ids.
        events: (user, type, item, at or None).
        dislikes, related: (user, item), (item, node).
        vectors: e by item, float32; those that were committed.
        committed: items and events a cache can know of; None = all.
    """

    items: dict[int, dict[str, Any]]
    users: set[int]
    events: list[tuple[int, str, int, int | None]]
    dislikes: list[tuple[int, int]]
    related: list[tuple[int, int]]
    vectors: dict[int, np.ndarray]
    committed: "Shop | None" = field(default=None)

    def popularity(self, item: int) -> int:
        """Distinct users, as the last commit left them; for an item made since, as they are now."""
        source = self.committed if self.committed and item in self.committed.items else self
        return len({user for user, _, bought, _ in source.events if bought == item})


def dot(left: np.ndarray, right: np.ndarray) -> float:
    """The double sum in ascending dimension."""
    total = 0.0
    for x, y in zip(left.tolist(), right.tolist(), strict=True):
        total += x * y
    return total


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """0 for a zero vector."""
    norms = np.sqrt(dot(left, left)) * np.sqrt(dot(right, right))
    return dot(left, right) / norms if norms else 0.0


def user_vector(shop: Shop, user: int, c: dict[int, np.ndarray], weights: dict[str, float], history: int):
    """[D] float64: degree^-1/2 * degree / read * sum of weight * c over the newest interactions."""
    reduced: dict[int, tuple[float, float]] = {}
    for someone, kind, item, at in shop.events:
        if someone == user:
            weight, latest = reduced.get(item, (0.0, -np.inf))
            reduced[item] = max(weight, weights[kind]), max(latest, -np.inf if at is None else at)
    read = sorted(reduced, key=lambda item: (-reduced[item][1], item))[:history]
    total = np.zeros(len(next(iter(c.values()))))
    for item in read:
        if item in c:
            total += reduced[item][0] * c[item].astype(np.float64)
    return total * len(reduced) ** 0.5 / len(read) if read else total


def recommend(
    shop: Shop,
    source: int | None,
    query: np.ndarray | None,
    config: dict[str, Any],
    now: int,
    similarity: str = "dot",
) -> list[tuple[int, int, float, str]]:
    """(item, rank, score, origin) for one source.

    Args:
        query: [D] float32; None or zeros: nothing is known of the source.
        config: the keys of the call, nodes as ids.
    """
    out = set(config.get("exclude", ())) | set(config.get("context", ())) | set(config.get("history", ()))
    out.add(source)
    windows = config.get("seen", {"BUY": None, "VIEW": None})
    if isinstance(windows, list):
        windows = dict.fromkeys(windows)
    latest: dict[tuple[str, int], float] = {}  # of parallel events the latest known time counts
    for user, kind, item, at in shop.events:
        if user == source:
            latest[kind, item] = max(latest.get((kind, item), -np.inf), -np.inf if at is None else at)
    for (kind, item), at in latest.items():
        if kind in windows and (windows[kind] is None or at == -np.inf or at >= now - windows[kind]):
            out.add(item)
    if config.get("blockedTypes"):
        out |= {item for user, item in shop.dislikes if user == source}
    allowed = set(shop.items) if config.get("candidates") is None else set(config["candidates"])
    possible = [
        item
        for item in shop.items
        if item in allowed and item not in out and holds(shop, item, config.get("filter", {}))
    ]
    rated: list[tuple[float, int, str]] = []
    if config.get("method", "vector") == "vector" and query is not None and query.any():
        score = {"dot": dot, "cosine": cosine}[similarity]
        rated = [(score(query, shop.vectors[i]), i, "exact") for i in possible if i in shop.vectors]
        rated.sort(key=lambda row: (-row[0], row[1]))
    popular = [(float(shop.popularity(item)), item, "popularity") for item in possible]
    popular.sort(key=lambda row: (-row[0], row[1]))
    rows, taken, counts = [], set(), defaultdict(int)
    for score_, item, origin in rated + popular:
        if len(rows) == config.get("topK", 10):
            break
        values = [(name, shop.items[item].get(name)) for name in config.get("maxPer", {})]
        values = [(name, value) for name, value in values if value is not None]
        if item in taken or any(counts[value] >= config["maxPer"][value[0]] for value in values):
            continue
        for value in values:
            counts[value] += 1
        taken.add(item)
        rows.append((item, len(rows) + 1, score_, origin))
    return rows


def holds(shop: Shop, item: int, conditions: dict[str, Any]) -> bool:
    """Whether an item is as the filter wants it."""
    found = shop.items[item]
    for name, wanted in conditions.items():
        if name == "label":
            if wanted not in found["labels"]:
                return False
        elif name == "related":
            if (item, wanted["node"]) not in shop.related or wanted.get("direction") == "in":
                return False
        else:
            value = found.get(name)
            values = [] if value is None else value if isinstance(value, list) else [value]
            tests = (
                wanted
                if isinstance(wanted, dict)
                else {"in": wanted if isinstance(wanted, list) else [wanted]}
            )
            if not all(_test(values, operator, bound) for operator, bound in tests.items()):
                return False
    return True


def _test(values: list, operator: str, bound: Any) -> bool:
    if operator == "ne":
        return bool(values) and all(value != bound for value in values)
    compare = {
        "eq": lambda v: type_of(v) == type_of(bound) and v == bound,
        "in": lambda v: any(type_of(v) == type_of(b) and v == b for b in bound),
        "gt": lambda v: type_of(v) == type_of(bound) and v > bound,
        "gte": lambda v: type_of(v) == type_of(bound) and v >= bound,
        "lt": lambda v: type_of(v) == type_of(bound) and v < bound,
        "lte": lambda v: type_of(v) == type_of(bound) and v <= bound,
    }[operator]
    return any(compare(value) for value in values)


def type_of(value: Any) -> str:
    """Numbers compare with numbers only, in Cypher as here."""
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def walk(
    shop: Shop, user: int, weights: dict[str, float], alpha: float, beta: float, limit: int
) -> dict[int, float]:
    """RP3beta of every item that can be reached, seen ones included, under the stated limit.

    Each of the last two steps reads at most ``limit`` pairs: items newest first, users likeliest first, then
    smaller id; a node is read whole or not at all, the first one always.
    """
    pairs: dict[tuple[int, int], float] = {}
    latest: dict[tuple[int, int], float] = {}
    for someone, kind, item, at in shop.events:
        key = (someone, item)
        pairs[key] = max(pairs.get(key, 0.0), weights[kind])
        latest[key] = max(latest.get(key, -np.inf), -np.inf if at is None else at)
    items_of, users_of = defaultdict(dict), defaultdict(dict)
    for (someone, item), weight in pairs.items():
        items_of[someone][item] = weight
        users_of[item][someone] = weight

    def steps(nodes: list[int], neighbours: dict[int, dict[int, float]]):
        left = limit
        for position, node in enumerate(nodes):
            if position and len(neighbours[node]) > left:
                return
            left -= len(neighbours[node])
            total = sum(neighbours[node].values())
            for other, weight in neighbours[node].items():
                yield node, other, (weight / total) ** alpha

    own = items_of[user]
    start = {item: (weight / sum(own.values())) ** alpha for item, weight in own.items()}
    mass: dict[int, float] = defaultdict(float)
    for item, other, chance in steps(sorted(own, key=lambda i: (-latest[user, i], i)), users_of):
        mass[other] += start[item] * chance
    score: dict[int, float] = defaultdict(float)
    for other, item, chance in steps(sorted(mass, key=lambda v: (-mass[v], v)), items_of):
        score[item] += mass[other] * chance
    return {item: value / len(users_of[item]) ** beta for item, value in score.items()}
