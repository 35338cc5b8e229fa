"""Inputs that every model of ``sequence/1`` and ``pair/1`` must stand; ``docs/formats.md`` has the contracts.

Shapes: B = sources, L = items of a history, C = candidates, D = dimensions.
"""

import numpy as np
from numpy.typing import NDArray


def examples(contract: str, dimension: int, seed: int = 7) -> list[dict[str, NDArray[np.float32]]]:
    """One source and many, one item and many, histories of every length from 1 to L, no context."""
    rng = np.random.default_rng(seed)
    make = {"sequence/1": _sequence, "pair/1": _pair}[contract]
    return [make(rng, sources, width, dimension) for sources, width in ((1, 1), (1, 50), (7, 20), (64, 3))]


def _sequence(rng: np.random.Generator, sources: int, width: int, dimension: int) -> dict[str, NDArray]:
    read = rng.integers(1, width + 1, sources)
    mask = (np.arange(width) < read[:, None]).astype(np.float32)  # [B, L]
    gap = np.log1p(rng.exponential(50, (sources, width))).astype(np.float32) * mask
    gap[:, 0] = 0
    history = rng.normal(0, 0.3, (sources, width, dimension)).astype(np.float32)
    return {"history": history * mask[:, :, None], "mask": mask, "gap": gap}


def _pair(rng: np.random.Generator, sources: int, width: int, dimension: int) -> dict[str, NDArray]:
    context = rng.normal(0, 0.3, (sources, dimension)).astype(np.float32)
    context[::2] = 0
    return {
        "source": rng.normal(0, 0.3, (sources, dimension)).astype(np.float32),
        "candidate": rng.normal(0, 0.3, (sources, width, dimension)).astype(np.float32),
        "context": context,
    }
