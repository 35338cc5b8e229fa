"""Published protocols as data: how to split, whom to rank, what to measure.

Each ``.toml`` of this package is one protocol; ``get("ncf")`` reads it, ``Protocol.cut`` makes the parts and
``Protocol.evaluate`` measures a fitted model on them. A file of the same shape from elsewhere is read by
``read``. Keys:

    title, source   what it is, and the paper
    interactions    weight = "task" | "one" | "value";  time = "latest" | "first" (what a pair is)
    split           method (own, random, by_time_share, by_user_time, leave_last or listed) and its numbers
    candidates      kind = all | listed | drawn (negatives) | pairs (negatives) | rated (threshold)
    filters         warm: test pairs whose user or item is unknown to train are left out
    metrics, k      names and list lengths (none for pairs and ratings)
    datasets.NAME   what the data set needs of its own: via, value, listed
"""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import metrics, splits
from gds_pipelines.errors import InvalidInput, UnknownName, did_you_mean
from gds_pipelines.evaluation import Evaluation, evaluate
from gds_pipelines.interactions import Interactions, every_nth
from gds_pipelines.pair_evaluation import (
    PAIR_METRICS,
    RATING_METRICS,
    PairEvaluation,
    evaluate_clicks,
    evaluate_listed,
    evaluate_ratings,
)

if TYPE_CHECKING:
    from gds_pipelines.models.base import Recommender

SPLITS = ("own", "random", "by_time_share", "by_user_time", "leave_last", "listed")
CANDIDATES = ("all", "listed", "drawn", "pairs", "rated")
_KEYS = ("title", "source", "interactions", "split", "candidates", "filters", "metrics", "k", "datasets")
_RANKED = ("all", "listed", "drawn")


@dataclass(frozen=True)
class Listed:
    """Held-out items and what each is ranked among.

    Args:
        users, items: [T] user and positive item indices; each a pair of the test part.
        negatives: [T, N] item indices, -1 = none.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    negatives: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What a protocol makes of interactions.

    Args:
        train, validation, test: disjoint, over the same users and items.
        fit: what the measured model learns from: train, with validation where the protocol refits.
        description: in words.
        by_time: all of train is claimed to be older than all of test.
        listed: candidates of each test pair, where the protocol ranks few.
        dropped: test pairs that a filter left out.
        same_nodes: users and items are one set of nodes, so (b, a) in train reveals (a, b).
    """

    train: Interactions
    validation: Interactions
    test: Interactions
    fit: Interactions
    description: str
    by_time: bool = False
    listed: Listed | None = None
    dropped: int = 0
    same_nodes: bool = False

    def audit(self) -> splits.Audit:
        return splits.audit(self.fit, self.test, same_nodes=self.same_nodes, by_time=self.by_time)


@dataclass(frozen=True)
class Protocol:
    """One protocol, as its file states it; see the module's text for the values."""

    name: str
    title: str
    source: str
    split: Mapping[str, Any]
    candidates: Mapping[str, Any]
    metrics: tuple[str, ...]
    k: tuple[int, ...] = ()
    interactions: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """'ranking', 'clicks' or 'ratings': what is measured."""
        return {"pairs": "clicks", "rated": "ratings"}.get(self.candidates["kind"], "ranking")

    @property
    def main(self) -> tuple[str, ...]:
        """The two metrics that stand first and get intervals and tests."""
        return self.metrics[:2]

    def cut(
        self,
        whole: Interactions,
        *,
        seed: int = 0,
        test: Interactions | None = None,
        listed: Listed | None = None,
        same_nodes: bool = False,
    ) -> Parts:
        """The parts of ``whole``.

        Args:
            seed: of random splits and drawn candidates.
            test: the test part, where it is given; ``whole`` is the train part then.
            listed: held-out items with their candidates, for protocols that list them.
            same_nodes: users and items are one set of nodes.
        Raises:
            InvalidInput: the data lacks what the protocol needs (times, lists), or nothing was held out.
        """
        if self.interactions.get("weight") == "one":
            whole = replace(whole, matrix=whole.binary)
        made = self._split(whole, seed, test, listed)
        held, dropped = made.test, 0
        if self.filters.get("warm"):
            known = made.refit() if self.split.get("refit", True) else made.train
            warm = (known.user_degrees[held.user_index] > 0) & (known.item_degrees[held.matrix.indices] > 0)
            dropped, held = int((~warm).sum()), held.keep(warm)
        if not len(held):
            raise InvalidInput(
                f"Protocol '{self.name}'",
                [f"nothing was held out ({made.description}); the data is too small"],
            )
        fit = made.refit() if self.split.get("refit", True) else made.train
        if self.candidates["kind"] == "drawn":
            listed = self._drawn(whole, held, seed, self.candidates["negatives"])
        return Parts(
            made.train,
            made.validation,
            held,
            fit,
            made.description,
            self.split["method"] == "by_time_share",
            listed,
            dropped,
            same_nodes,
        )

    def inner(self, parts: Parts, *, seed: int = 0) -> Parts:
        """Parts of ``parts.fit`` to choose settings on, cut the way the test part was; the test part stays
        unread.

        The validation part, where the protocol has one; else the same split once more, and
        ``splits.holdout`` where the split was given.
        """
        nothing = parts.fit.keep(np.zeros(len(parts.fit), bool))
        kind = self.candidates["kind"]
        if len(parts.validation):
            made = splits.Split(parts.train, nothing, parts.validation, "the validation part")
        elif kind in ("listed", "drawn"):
            made = splits.leave_one(parts.fit, seed=seed)
        elif self.split["method"] in ("by_time_share", "by_user_time"):
            # As much as the test part took, so that what is left is alike.
            again = {"by_time_share": splits.by_time_share, "by_user_time": splits.by_user_time}
            made = again[self.split["method"]](parts.fit, self.split["test"])
        else:
            held = splits.holdout(parts.fit, seed=seed)
            made = splits.Split(held.train, nothing, held.validation, held.description)
        if kind in ("listed", "drawn"):
            listed = self._drawn(parts.fit, made.test, seed, self.candidates.get("negatives", 99))
        else:
            listed = None
        return Parts(made.train, nothing, made.test, made.train, made.description, listed=listed)

    def evaluate(
        self,
        model: Recommender,
        parts: Parts,
        *,
        k: Sequence[int] | None = None,
        seed: int = 0,
        most_users: int | None = None,
    ) -> Evaluation | PairEvaluation:
        """Measure a model fitted on ``parts.fit``; of more than ``most_users`` every n-th is asked."""
        lengths = tuple(k or self.k)
        kind = self.candidates["kind"]
        if kind == "all":
            exclude = None if len(parts.fit) > len(parts.train) else parts.validation.matrix
            users = None
            if most_users is not None:
                users = every_nth(np.flatnonzero(parts.test.user_degrees > 0), most_users)
            return evaluate(model, parts.test, k=lengths, names=self.metrics, exclude=exclude, users=users)
        if kind in ("listed", "drawn"):
            one = parts.listed
            rows = np.arange(len(one.users))
            if most_users is not None:
                rows = every_nth(rows, most_users)
            return evaluate_listed(
                model, one.users[rows], one.items[rows], one.negatives[rows], k=lengths, names=self.metrics
            )
        if kind == "rated":
            return evaluate_ratings(model, parts.test, threshold=float(self.candidates["threshold"]))
        return evaluate_clicks(
            model,
            parts.test,
            known=splits.merge(splits.merge(parts.train, parts.validation), parts.test),
            negatives=int(self.candidates["negatives"]),
            seed=seed,
        )

    def _split(
        self, whole: Interactions, seed: int, test: Interactions | None, listed: Listed | None
    ) -> splits.Split:
        nothing = whole.keep(np.zeros(len(whole), bool))
        if test is not None:
            if self.interactions.get("weight") == "one":
                test = replace(test, matrix=test.binary)
            return splits.Split(whole, nothing, test, "as given")
        given = {key: value for key, value in self.split.items() if key not in ("method", "refit")}
        method = self.split["method"]
        if method == "random":
            return splits.random(whole, seed=seed, **given)
        if method == "by_time_share":
            return splits.by_time_share(whole, **given)
        if method == "by_user_time":
            return splits.by_user_time(whole, **given)
        if method == "leave_last":
            return splits.leave_last(whole, **given)
        if method == "listed" and listed is not None:
            pairs = listed.users * whole.n_items + listed.items
            held = np.isin(whole.pairs(), pairs)
            if held.sum() < len(pairs):
                raise InvalidInput(
                    f"Protocol '{self.name}'",
                    [f"{len(pairs) - int(held.sum())} held-out pairs stand twice or are no interactions"],
                )
            return splits.Split(whole.keep(~held), nothing, whole.keep(held), "as listed")
        need = "a list of held-out items with their candidates" if method == "listed" else "a test part"
        raise InvalidInput(f"Protocol '{self.name}'", [f"it needs {need}, and none was given"])

    def _drawn(self, whole: Interactions, test: Interactions, seed: int, count: int) -> Listed:
        """Candidates drawn evenly among what the user never touched, the same for every model."""
        rng = np.random.default_rng([seed, 100])
        users, items = test.user_index, test.matrix.indices.astype(np.int64)
        negatives = np.full((len(users), count), -1, np.int64)
        known = splits.merge(whole, test).matrix
        for row, user in enumerate(users):
            own = known.indices[known.indptr[user] : known.indptr[user + 1]]
            free = whole.n_items - len(own)
            drawn = np.sort(rng.choice(free, min(count, free), replace=False))
            # The n-th item that is not the user's: step over the own ones below it.
            below = own - np.arange(len(own))
            negatives[row, : len(drawn)] = drawn + np.searchsorted(below, drawn, side="right")
        return Listed(users, items, negatives)

    def to_mapping(self) -> dict[str, Any]:
        """The protocol as it stands in its file, for results."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "split": dict(self.split),
            "candidates": dict(self.candidates),
            "filters": dict(self.filters),
            "interactions": dict(self.interactions),
            "metrics": list(self.metrics),
            "k": list(self.k),
        }


def names() -> list[str]:
    """All shipped protocols, alphabetical."""
    files = importlib.resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def get(name: str) -> Protocol:
    """A shipped protocol by name, or the file a path names (it ends in ``.toml``).

    Raises:
        UnknownName: there is none; with a suggestion.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    if name not in names():
        raise UnknownName("protocol", name, names())
    text = importlib.resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse(name, tomllib.loads(text))


def read(path: Path) -> Protocol:
    """A protocol from a file of one's own."""
    try:
        return parse(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Protocol '{path.name}'", [f"cannot be read: {error}"]) from error


def parse(name: str, raw: Mapping[str, Any]) -> Protocol:
    """Check a protocol; all faults at once."""
    faults = [
        f"unknown key `{key}`.{did_you_mean(key, _KEYS)} Known: {', '.join(_KEYS)}"
        for key in raw
        if key not in _KEYS
    ]
    faults += [
        f"`{key}` is missing"
        for key in ("title", "source", "split", "candidates", "metrics")
        if key not in raw
    ]
    split, candidates = raw.get("split", {}), raw.get("candidates", {})
    faults += _choice("split.method", split.get("method"), SPLITS)
    faults += _choice("candidates.kind", candidates.get("kind"), CANDIDATES)
    given = raw.get("interactions", {})
    faults += _choice("interactions.weight", given.get("weight", "task"), ("task", "one", "value"))
    faults += _choice("interactions.time", given.get("time", "latest"), ("latest", "first"))
    known = {"pairs": PAIR_METRICS, "rated": RATING_METRICS}.get(
        candidates.get("kind"), tuple(metrics.METRICS)
    )
    for metric in raw.get("metrics", []):
        faults += _choice("metrics", metric, tuple(known))
    k = raw.get("k", [])
    ranked = candidates.get("kind") in _RANKED
    if ranked != bool(k) or any(type(one) is not int or one < 1 for one in k):
        faults.append(f"`k` is {k}, expected {'whole numbers of at least 1' if ranked else 'none'}")
    for key, need in (("drawn", "negatives"), ("pairs", "negatives"), ("rated", "threshold")):
        if candidates.get("kind") == key and not candidates.get(need, 0) > 0:
            faults.append(f"`candidates.{need}` is {candidates.get(need)}, expected a number above 0")
    if faults:
        raise InvalidInput(f"Protocol '{name}'", faults)
    return Protocol(
        name,
        raw["title"],
        raw["source"],
        split,
        candidates,
        tuple(raw["metrics"]),
        tuple(k),
        given,
        raw.get("filters", {}),
        raw.get("datasets", {}),
    )


def _choice(what: str, value: Any, known: Sequence[str]) -> list[str]:
    if value in known:
        return []
    return [f"`{what}` is '{value}'.{did_you_mean(str(value), known)} Known: {', '.join(known)}"]
