"""What `gnn.recommend.stream` must answer, computed the slow way in float64.

Independent of the plugin: plain dictionaries, every item scored, everything sorted. The user's
vector is given (it comes from a float32 network); all after it must be equal to the last bit.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DAY = 86_400_000


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
    weights: dict[str, float] | None = None,
) -> list[tuple[int, int, float, str]]:
    """(item, rank, score, origin) for one source.

    Args:
        query: [D] float32; None or zeros: nothing is known of the source.
        config: the keys of the call, nodes as ids.
        weights: of the behaviours, for the walk of a blend.
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
    if blend_ := config.get("blend"):
        parts = blend(shop, source, query, blend_, now, similarity, weights or {})
        rated = [(added(parts[item]), item, "blend") for item in possible if item in parts]
    elif config.get("method") == "popularity":
        rated = [(float(shop.popularity(item)), item, "popularity") for item in possible]
    elif query is not None and query.any():
        score = {"dot": dot, "cosine": cosine}[similarity]
        rated = [(score(query, shop.vectors[i]), i, "exact") for i in possible if i in shop.vectors]
    rated.sort(key=lambda row: (-row[0], row[1]))
    popular = [(float(shop.popularity(item)), item, "popularity") for item in possible]
    popular.sort(key=lambda row: (-row[0], row[1]))
    rows, counts = [], defaultdict(int)

    def take(score_: float, item: int, origin: str) -> bool:
        kinds = [(name, shop.items[item].get(name)) for name in config.get("maxPer", {})]
        values = {
            (name, one)
            for name, kind in kinds
            for one in (kind if isinstance(kind, list) else [kind])
            if one is not None
        }
        if any(row[0] == item for row in rows) or any(
            counts[value] >= config["maxPer"][value[0]] for value in values
        ):
            return False
        for value in values:
            counts[value] += 1
        rows.append((item, len(rows) + 1, score_, origin))
        return True

    top = config.get("topK", 10)
    if "diversity" in config or "exploration" in config:
        pool = rated[
            : max(top, *(config.get(key, {}).get("pool", 100) for key in ("diversity", "exploration")))
        ]
        arrange(shop, source, pool, config, top, take)
        behind = [row for row in rated if row not in pool] + popular
    else:
        behind = rated + popular
    for row in behind:
        if len(rows) == top:
            break
        take(*row)
    return rows


def arrange(shop: Shop, source: int | None, pool: list, config: dict, top: int, take) -> None:
    """Maximal marginal relevance over relevance in [0, 1] and Gumbel noise, one item after the other."""
    if not pool:
        return
    diversity = config.get("diversity", {"weight": 0.0}).get("weight", 0.3)
    temperature = config.get("exploration", {"temperature": 0.0}).get("temperature", 0.1)
    seed = config.get("exploration", {}).get("seed", 0)
    scores = [row[0] for row in pool]
    width = max(scores) - min(scores)
    merit = {}
    for score, item, _ in pool:
        noise = temperature * -np.log(-np.log(uniform(seed, -1 if source is None else source, item)))
        merit[item] = (1 - diversity) * (((score - min(scores)) / width if width else 1.0) + noise)
    left, given = {item: origin for _, item, origin in pool}, []

    def value(item: int) -> float:
        likest = max((likeness(shop, item, other) for other in given), default=0.0)
        return merit[item] - diversity * max(0.0, likest)

    taken = 0
    while left and taken < top:
        best = min(left, key=lambda item: (-value(item), item))
        if take(value(best), best, left.pop(best)):
            taken += 1
            given.append(best)


def likeness(shop: Shop, one: int, other: int) -> float:
    """Cosine of two items' vectors as committed, 0 where one has none."""
    vectors = (shop.committed or shop).vectors
    # Rounded to float32, so that the last digit of a double does not part what is alike.
    return (
        float(np.float32(cosine(vectors[one], vectors[other])))
        if one in vectors and other in vectors
        else 0.0
    )


def added(parts: dict[str, float]) -> float:
    """One after the other, as they stand."""
    total = 0.0
    for part in parts.values():
        total += part
    return total


def uniform(seed: int, source: int, item: int) -> float:
    """splitmix64 over three numbers, in (0, 1)."""

    def mix(value: int) -> int:
        z = (value + 0x9E3779B97F4A7C15) % 2**64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return z ^ (z >> 31)

    return ((mix(mix(mix(seed) + source) + item) >> 11) + 0.5) * 2.0**-53


def blend(
    shop: Shop,
    source: int | None,
    query: np.ndarray | None,
    wanted: dict[str, Any],
    now: int,
    similarity: str,
    weights: dict[str, float],
) -> dict[int, dict[str, float]]:
    """Each source's part of the score, by item; only items that a source with a weight above 0 has."""
    committed = shop.committed or shop
    score = {"dot": dot, "cosine": cosine}[similarity]
    raw: dict[str, dict[int, float]] = {}
    best = {}
    if "vector" in wanted and query is not None and query.any():
        raw["vector"] = {item: score(query, vector) for item, vector in shop.vectors.items()}
        best["vector"] = max(score(query, vector) for vector in committed.vectors.values())
    if "walk" in wanted:
        popularity = {item: shop.popularity(item) for item in shop.items}
        raw["walk"] = walk(shop, source, weights, 0.7, 0.3, 10**9, popularity)
        best["walk"] = max(raw["walk"].values(), default=0.0)
    if "popularity" in wanted:
        raw["popularity"] = {item: float(shop.popularity(item)) for item in shop.items}
        best["popularity"] = max(float(committed.popularity(item)) for item in committed.items)
    settings = {
        name: {"scale": "max", "floor": 0.001, **(given if isinstance(given, dict) else {"weight": given})}
        for name, given in wanted.items()
        if name in raw
    }

    def part(name: str, item: int) -> float:
        one = settings[name]
        if name == "vector" and item not in raw[name]:
            return 0.0
        norm = 1.0 if similarity == "cosine" or query is None else np.sqrt(dot(query, query))
        divisor = {"max": abs(best[name]), "log": abs(best[name]), "unit": norm, "none": 1.0}[one["scale"]]
        share = raw[name].get(item, 0.0) / divisor if divisor else None
        if share is None:
            return 0.0
        return one["weight"] * (np.log(share + one["floor"]) if one["scale"] == "log" else share)

    rows = {}
    for item, properties in shop.items.items():
        if not any(item in raw[name] and settings[name]["weight"] > 0 for name in settings):
            continue
        rows[item] = {name: part(name, item) for name in ("vector", "walk", "popularity") if name in settings}
        if recency := wanted.get("recency"):
            at = properties.get(recency["property"])
            age = 0 if at is None else max(0, now - at)
            rows[item]["recency"] = (
                0.0 if at is None else recency["weight"] * 0.5 ** (age / recency["days"] / DAY)
            )
        for name, boost in wanted.get("boosts", {}).items():
            rows[item][name] = boost["weight"] if holds(shop, item, boost["filter"]) else 0.0
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
    shop: Shop,
    user: int,
    weights: dict[str, float],
    alpha: float | list[float],
    beta: float,
    limit: int,
    popularity: dict[int, int] | None = None,
    share: bool = True,
) -> dict[int, float]:
    """RP3beta of every item that can be reached, seen ones included, under the stated limit.

    Args:
        alpha: one exponent, or one for each step.
        popularity: users of an item; None counts those of the shop.
        share: of the sum of the weights; else weight over a power of the number of neighbours.

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

    exponents = alpha if isinstance(alpha, list) else [alpha] * 3

    def chances(step: int, neighbours: dict[int, float]) -> dict[int, float]:
        total = sum(neighbours.values())
        return {
            other: (weight / total) ** exponents[step]
            if share
            else weight * len(neighbours) ** -exponents[step]
            for other, weight in neighbours.items()
        }

    def steps(step: int, nodes: list[int], neighbours: dict[int, dict[int, float]]):
        left = limit
        for position, node in enumerate(nodes):
            if position and len(neighbours[node]) > left:
                return
            left -= len(neighbours[node])
            for other, chance in chances(step, neighbours[node]).items():
                yield node, other, chance

    own = items_of[user]
    start = chances(0, own)
    mass: dict[int, float] = defaultdict(float)
    for item, other, chance in steps(1, sorted(own, key=lambda i: (-latest[user, i], i)), users_of):
        mass[other] += start[item] * chance
    score: dict[int, float] = defaultdict(float)
    for other, item, chance in steps(2, sorted(mass, key=lambda v: (-mass[v], v)), items_of):
        score[item] += mass[other] * chance
    degree = popularity or {item: len(users) for item, users in users_of.items()}
    return {
        item: value / max(1, degree.get(item, len(users_of[item]))) ** beta for item, value in score.items()
    }
