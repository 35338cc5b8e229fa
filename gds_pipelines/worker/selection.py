"""Which candidate wins: each is trained on a part of train and measured on the rest of it; test stays
unread.

A candidate with ranges is searched first. What decides is the mean of recall@20 and nDCG@20 on the
validation part, as in ``gnn4j train --tune``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gds_pipelines import metrics, models, protocols, tuning
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions, every_nth
from gds_pipelines.models.base import Recommender
from gds_pipelines.run import DEFAULT_K
from gds_pipelines.splits import Split
from gds_pipelines.training import TrainingOptions
from gds_pipelines.tuning import MAX_USERS, Bounds
from gds_pipelines.worker.job import Candidate


@dataclass(frozen=True)
class Tried:
    """One candidate with the settings it was measured with.

    Args:
        parameters: that were set; the rest are the model's defaults.
        value: what decides; NaN where the validation part asks nobody.
        train, validation: figures by names like ``recall@20``.
        trials: settings that were tried to find these, 0 where nothing was searched.
    """

    model: str
    parameters: dict[str, Any]
    value: float
    train: dict[str, float]
    validation: dict[str, float]
    trials: int


@dataclass(frozen=True)
class Selection:
    """All that were tried, in the order of the parameter space.

    Args:
        best: index of the winner, the first of equals.
        description: of the validation part, in words.
    """

    tried: tuple[Tried, ...]
    best: int
    description: str

    @property
    def winner(self) -> Tried:
        """The candidate that was best on the validation part."""
        return self.tried[self.best]


def select(
    candidates: Sequence[Candidate],
    parts: Split,
    bounds: Bounds,
    directory: Path,
    *,
    seed: int,
    options: TrainingOptions,
    on_step: Callable[[str], None] = lambda text: None,
) -> Selection:
    """Measure all candidates.

    Args:
        candidates: at least one.
        bounds: of all searches together; they share it evenly.
        directory: where searches and checkpoints are kept, so that a second call goes on.
    """
    protocol = protocols.get("all-ranking")
    given = protocols.Parts(parts.train, parts.validation, parts.test, parts.refit(), parts.description)
    inner = protocol.inner(given, seed=seed)
    searched = sum(bool(one.ranges) for one in candidates)
    tried = []
    for at, candidate in enumerate(candidates):
        place = directory / str(at)
        parameters, trials = dict(candidate.fixed), 0
        if candidate.ranges:
            found = tuning.search(
                candidate.model,
                protocol,
                given,
                fixed=candidate.fixed,
                ranges=candidate.ranges,
                trials=None if bounds.trials is None else max(1, bounds.trials // searched),
                seconds=None if bounds.seconds is None else bounds.seconds / searched,
                seed=seed,
                storage=place / "tuning.log",
                options=options,
                on_trial=lambda trial, best, model=candidate.model: on_step(
                    f"Trial {trial.number + 1} of {model}: "
                    f"{'given up' if trial.value is None else f'{trial.value:.4f}'}, best {best:.4f}"
                ),
            )
            parameters, trials = found.parameters, len(found.trials)
        on_step(f"Trying {candidate.model} on a part of train ({at + 1} of {len(candidates)})")
        one = models.recommender(candidate.model)(parameters, seed=seed)
        one.fit(inner.fit, options=replace(options, directory=place / "training"))
        validation = _figures(one, inner.test)
        tried.append(
            Tried(
                candidate.model,
                parameters,
                (validation["recall@20"] + validation["ndcg@20"]) / 2 if validation else float("nan"),
                fit_figures(one),
                validation,
                trials,
            )
        )
    values = np.nan_to_num([one.value for one in tried], nan=-1.0)
    return Selection(tuple(tried), int(np.argmax(values)), inner.description)


def fit_figures(model: Recommender) -> dict[str, float]:
    """How well a model ranks what it was trained on: every item is a candidate, nothing is left out.

    Of more than ``MAX_USERS`` users every n-th is asked.
    """
    train = model.train
    asked = every_nth(np.flatnonzero(train.user_degrees > 0), MAX_USERS)
    width = max(DEFAULT_K)
    found = model.recommend(asked, width, exclude_seen=False).items
    pairs = train.pairs()
    wanted = asked[:, None] * train.n_items + found
    at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    hits = (pairs[at] == wanted) & (found >= 0)
    held_out = train.user_degrees[asked]
    return {
        f"{name}@{k}": metrics.mean(metrics.per_user(name, hits, held_out, k))
        for name in metrics.METRICS
        for k in DEFAULT_K
    }


def _figures(model: Recommender, test: Interactions) -> dict[str, float]:
    asked = every_nth(np.flatnonzero(test.user_degrees > 0), MAX_USERS)
    if not len(asked):
        return {}
    found = evaluate(model, test, k=DEFAULT_K, names=tuple(metrics.METRICS), users=asked)
    return {f"{name}@{k}": found.figure(name, k) for name in metrics.METRICS for k in DEFAULT_K}
