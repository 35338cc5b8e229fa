"""What models lose when a tenth as many random pairs are added to train.

    .venv/bin/python -m benchmarks.noise.interactions lastfm popularity,itemknn,rp3beta,ials
    .venv/bin/python -m benchmarks.noise.interactions movielens-1m rp3beta,ials --protocol time-user

A random pair is a user of train and an item, each as likely as any other, that stand together neither in
train nor in any held-out part: noise must not bring the answers. Every noise seed draws its own; the model
keeps its seed and its settings, so that what changes is the noise alone. The loss is that of a user's value,
mean over the noise seeds, against the model trained on clean pairs; its interval is a bootstrap over users.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import result_file
from gds_pipelines import benchmarking, datasets, protocols, splits, statistics
from gds_pipelines.dataset_interactions import parts_of
from gds_pipelines.interactions import Interactions
from gds_pipelines.protocols import Parts, Protocol
from gds_pipelines.training import TrainingOptions

RESULTS = Path(__file__).parent / "results"
SHARE = 0.1
SEEDS = (1, 2, 3, 4, 5)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dataset", choices=datasets.names())
    arguments.add_argument("models", help="with commas between")
    arguments.add_argument("--protocol", default="recbole-8-1-1", help=", ".join(protocols.names()))
    arguments.add_argument("--seed", type=int, default=1, help="of split and models")
    arguments.add_argument("--threads", type=int)
    given = arguments.parse_args()
    protocol = protocols.get(given.protocol)
    parts = parts_of(datasets.get(given.dataset), protocol, seed=given.seed)
    parts.audit().check()
    options = TrainingOptions(threads=given.threads)
    for name in given.models.split(","):
        rows = measure(name, protocol, parts, given.seed, options)
        words = f"{given.dataset} {name} --protocol {given.protocol} --seed {given.seed}"
        result_file.write(
            RESULTS / f"{given.dataset}-{given.protocol}-{name}.json",
            title=f"{given.dataset}: a tenth more pairs at random ({protocol.title.lower()})",
            command=f".venv/bin/python -m benchmarks.noise.interactions {words}",
            rows=rows,
            note=f"{len(SEEDS)} noise seeds, {int(SHARE * len(parts.fit)):,} pairs each; least and most: of "
            "single noise seeds",
            table=f"noise/{given.dataset}-{given.protocol}",
        )


def measure(
    name: str, protocol: Protocol, parts: Parts, seed: int, options: TrainingOptions
) -> list[dict[str, object]]:
    """One row a main metric."""
    clean = values(name, protocol, parts, seed, options)
    noisy = [values(name, protocol, with_noise(parts, one), seed, options) for one in SEEDS]
    rows = []
    for metric in protocol.main:
        cut = max(protocol.k)
        before = clean[metric, cut]
        after = [one[metric, cut] for one in noisy]
        lost = statistics.difference(np.mean(after, axis=0), before)
        means = [float(np.nanmean(one)) for one in after]
        rows.append(
            {
                "model": name,
                "metric": f"{metric}@{cut}",
                "clean": round(float(np.nanmean(before)), 5),
                "with noise": round(float(np.mean(means)), 5),
                "change": round(lost.mean, 5),
                "change 95 %": f"{lost.low:+.4f} to {lost.high:+.4f}",
                "change in %": round(100 * lost.mean / float(np.nanmean(before)), 2),
                "least": round(min(means), 5),
                "most": round(max(means), 5),
            }
        )
    return rows


def values(
    name: str, protocol: Protocol, parts: Parts, seed: int, options: TrainingOptions
) -> dict[tuple[str, int], np.ndarray]:
    """Values of single users, the same users in the same order whatever the noise."""
    done = benchmarking.measure(name, protocol, parts, seed=seed, options=options)
    return dict(done.evaluation.values)


def with_noise(parts: Parts, seed: int) -> Parts:
    """The same parts with random pairs in what the model is fitted on; the test part stays."""
    known = splits.merge(splits.merge(parts.fit, parts.validation), parts.test)
    noisy = splits.merge(parts.fit, noise(parts.fit, known, int(SHARE * len(parts.fit)), seed))
    train = noisy if len(parts.fit) == len(parts.train) else parts.train
    return replace(parts, train=train, fit=noisy)


def noise(fit: Interactions, known: Interactions, count: int, seed: int) -> Interactions:
    """``count`` distinct pairs of users of ``fit`` and any item, none of them in ``known``; weight 1.

    A time, where there are times, is that of a pair of ``fit`` drawn at random.
    """
    rng = np.random.default_rng([seed, 10])
    users, taken = np.flatnonzero(fit.user_degrees > 0), known.pairs()
    pairs = np.zeros(0, np.int64)
    while len(pairs) < count:
        more = rng.choice(users, count) * fit.n_items + rng.integers(0, fit.n_items, count)
        pairs = np.unique(np.r_[pairs, more[~np.isin(more, taken)]])
    pairs = rng.permutation(pairs)[:count]
    times = None if fit.times is None else rng.choice(fit.times, count)
    return Interactions.from_indices(
        pairs // fit.n_items,
        pairs % fit.n_items,
        1.0,
        times,
        user_keys=fit.user_keys,
        item_keys=fit.item_keys,
    )


if __name__ == "__main__":
    main()
