"""Full-ranking evaluation: every item is a candidate, what the user had in train is left out.

Ranked in blocks of users, so memory stays small; one value a user is kept, so that
intervals and paired tests can be taken later. Candidate-sampled protocols flatter
models unevenly and have no place here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines import metrics
from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender

DEFAULT_K = (10, 20)
PROTOCOL = "all-ranking"


@dataclass(frozen=True)
class Evaluation:
    """What one model scored on one test part.

    Args:
        users: [T] indices of the users who have something to find.
        items: [T, K] the lists, -1 where no candidate was left.
        scores: [T, K].
        held_out: [T] number of test items of each user.
        values: one array [T] for each (metric, k).
        coverage: share of the catalogue in the lists, by k.
        novelty: mean self-information of the lists in bits, by k.
        seconds: wall clock of ranking and measuring.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    held_out: NDArray[np.int64]
    values: Mapping[tuple[str, int], NDArray[np.float64]]
    coverage: Mapping[int, float]
    novelty: Mapping[int, float]
    seconds: float
    cold_users: int = field(default=0)

    def figure(self, metric: str, k: int) -> float:
        """Mean of a metric over the users, or ``coverage`` / ``novelty``."""
        for name, table in (("coverage", self.coverage), ("novelty", self.novelty)):
            if metric == name and k in table:
                return table[k]
        if (metric, k) not in self.values:
            known = {f"{name}@{cut}" for name, cut in self.values}
            raise UnknownName("figure", f"{metric}@{k}", known | {f"coverage@{cut}" for cut in self.coverage})
        return metrics.mean(self.values[metric, k])

    def figures(self) -> dict[str, float]:
        """All means, by names like ``recall@20``."""
        means = {f"{name}@{k}": metrics.mean(values) for (name, k), values in self.values.items()}
        means |= {f"coverage@{k}": value for k, value in self.coverage.items()}
        return means | {f"novelty@{k}": value for k, value in self.novelty.items()}

    def rows(self, split: str = "test") -> list[dict[str, Any]]:
        """The means as the manifest of an artefact lists them."""
        return [
            {
                "metric": name.split("@")[0],
                "k": int(name.split("@")[1]),
                "value": value,
                "split": split,
                "protocol": PROTOCOL,
            }
            for name, value in self.figures().items()
        ]


def evaluate(
    model: Recommender,
    test: Interactions,
    *,
    k: Sequence[int] = DEFAULT_K,
    names: Sequence[str] | None = None,
    users: NDArray[np.int64] | None = None,
    exclude: sp.csr_array | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Rank all items for the users of ``test`` and measure.

    Args:
        model: fitted on a train part of the same split; its training items are left out of every list.
        test: the held-out pairs, over the same users and items.
        k: list lengths, each >= 1.
        names: metrics (keys of ``metrics.METRICS``); all by default.
        users: users to ask, by default all with test pairs; those without are skipped.
        exclude: [U, I] further pairs that may not be listed, e.g. validation pairs.
    Users without training pairs count too: they get the popular items (``cold_users`` says how many).
    """
    names = tuple(metrics.METRICS) if names is None else tuple(names)
    for name in names:
        if name not in metrics.METRICS:
            raise UnknownName("metric", name, metrics.METRICS)
    faults = []
    if not k or min(k) < 1:
        faults.append(f"k is {list(k)}, expected one or more numbers of at least 1")
    if test.matrix.shape != model.train.matrix.shape:
        faults.append(
            f"the test part covers {test.matrix.shape} users and items, the model "
            f"{model.train.matrix.shape}; "
            "both must be parts of one split"
        )
    if faults:
        raise InvalidInput("Evaluation", faults)
    started = time.perf_counter()
    asked = np.flatnonzero(test.user_degrees > 0)
    if users is not None:
        asked = np.intersect1d(asked, users)
    width = max(k)
    items = np.full((len(asked), width), -1, np.int64)
    scores = np.full((len(asked), width), -np.inf)
    hits = np.zeros((len(asked), width), bool)
    pairs = test.pairs()
    size = max(1, 2**24 // max(test.n_items, 1))
    for start in range(0, len(asked), size):
        block = asked[start : start + size]
        found = model.recommend(block, width, exclude=exclude)
        items[start : start + size], scores[start : start + size] = found.items, found.scores
        hits[start : start + size] = _member(pairs, block[:, None] * test.n_items + found.items) & (
            found.items >= 0
        )
        if on_progress is not None:
            on_progress(min(1.0, (start + size) / len(asked)))
    held_out = test.user_degrees[asked]
    cuts = sorted(set(k))
    return Evaluation(
        asked,
        items,
        scores,
        held_out,
        {(name, cut): metrics.per_user(name, hits, held_out, cut) for name in names for cut in cuts},
        {cut: metrics.coverage(items[:, :cut], test.n_items) for cut in cuts},
        {cut: metrics.novelty(items[:, :cut], model.train.item_degrees, test.n_users) for cut in cuts},
        time.perf_counter() - started,
        int((model.train.user_degrees[asked] == 0).sum()),
    )


def _member(ascending: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ``wanted`` stand in the ascending list."""
    if not len(ascending):
        return np.zeros(wanted.shape, bool)
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return ascending[at] == wanted
