"""How a run is trained, whatever the model, and what it tells while it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gds_pipelines.errors import InvalidInput


@dataclass(frozen=True)
class Progress:
    """Where a run stands, as told to ``TrainingOptions.on_progress``.

    Args:
        epoch, epochs: finished epochs and planned ones.
        fraction: finished share of all steps, 0 to 1.
        loss: mean of the last epoch (or of the steps since the last report); NaN where a model has none.
        metrics: the newest validation figures, empty without validation.
        seconds_left: estimate from the steps so far.
    """

    epoch: int
    epochs: int
    fraction: float
    loss: float
    metrics: Mapping[str, float]
    seconds_left: float

    @classmethod
    def of_round(cls, done: int, rounds: int, seconds: float, loss: float = float("nan")) -> Progress:
        """After ``done`` of equally long rounds, which took ``seconds`` together; without validation."""
        return cls(done, rounds, done / rounds, loss, {}, seconds * (rounds / done - 1))

    @property
    def figures(self) -> dict[str, float]:
        """The loss, where the model has one, and the validation figures."""
        return ({"loss": self.loss} if math.isfinite(self.loss) else {}) | dict(self.metrics)


@dataclass(frozen=True)
class TrainingOptions:
    """How to train, whatever the model.

    Args:
        accelerator: 'auto' (a GPU where there is one), 'cpu', 'cuda', …, as Fabric has them.
        devices: number of devices; more than one trains data-parallel (gloo on CPU, NCCL on GPUs).
        precision: '32-true', 'bf16-mixed', '16-mixed'; None lets the model choose.
        threads: CPU threads of torch, numba and the BLAS of numpy; None keeps what is set.
        directory: where checkpoint and TensorBoard logs go; None keeps nothing on disk.
        resume: go on from a checkpoint in ``directory`` when it is of the same run.
        checkpoint_seconds: at most this much work is lost when the process is killed.
        patience: evaluations without a gain before it stops; None = never early.
        evaluate_every: epochs between evaluations.
        clip_norm: largest gradient norm; None = unclipped.
        accumulate: batches whose gradients are added before one step.
        ema: decay of averaged weights (0.999, say), used for evaluation and at the end; None = off.
        tensorboard: write event files below ``directory``.
        wandb: a project of Weights & Biases to log to as well; asked for, since its runs leave the machine.
        progress: show a progress bar on the terminal.
        on_progress: called after every epoch and at most once a second in between.
        on_resume: told how many of how many epochs a checkpoint brought, when a run goes on from one.
        should_stop: asked at every step; True ends the run with ``Cancelled``.
    """

    accelerator: str = "auto"
    devices: int = 1
    precision: str | None = None
    threads: int | None = None
    directory: Path | None = None
    resume: bool = True
    checkpoint_seconds: float = 60.0
    patience: int | None = 5
    evaluate_every: int = 1
    clip_norm: float | None = None
    accumulate: int = 1
    ema: float | None = None
    tensorboard: bool = True
    wandb: str | None = None
    progress: bool = False
    on_progress: Callable[[Progress], None] | None = None
    on_resume: Callable[[int, int], None] | None = None
    should_stop: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        faults = [
            f"{name} is {value}, expected {expected}"
            for name, value, good, expected in (
                ("devices", self.devices, self.devices >= 1, "at least 1"),
                ("threads", self.threads, self.threads is None or self.threads >= 1, "at least 1"),
                ("accumulate", self.accumulate, self.accumulate >= 1, "at least 1"),
                ("patience", self.patience, self.patience is None or self.patience >= 1, "at least 1"),
                ("evaluate_every", self.evaluate_every, self.evaluate_every >= 1, "at least 1"),
                ("clip_norm", self.clip_norm, self.clip_norm is None or self.clip_norm > 0, "above 0"),
                ("ema", self.ema, self.ema is None or 0 < self.ema < 1, "between 0 and 1"),
                (
                    "precision",
                    self.precision,
                    self.precision in (None, "32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"),
                    "32-true, bf16-mixed, 16-mixed, bf16-true or 64-true",
                ),
            )
            if not good
        ]
        if faults:
            raise InvalidInput("Training options", faults)
