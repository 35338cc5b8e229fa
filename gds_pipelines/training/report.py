"""What a run did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class TrainingReport:
    """What a run did.

    Args:
        epochs: epochs taken.
        steps: optimizer steps taken.
        best_epoch: 1-based epoch of the kept weights.
        stopped_early: patience ran out.
        resumed: it went on from a checkpoint.
        seconds, cpu_seconds: wall clock and process time, of all parts of a resumed run.
        device: what it ran on.
        history: one map an epoch: epoch, loss, seconds and the validation figures.
    """

    epochs: int = 0
    steps: int = 0
    best_epoch: int = 0
    stopped_early: bool = False
    resumed: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    device: str = "cpu"
    history: list[dict[str, float]] = field(default_factory=list)

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)
