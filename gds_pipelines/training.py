"""One loop for every model that learns by steps, on Lightning Fabric.

A model hands in a ``Learner``: its parameters, how many steps an epoch has, what
batch a step takes and what the loss is. The loop brings devices, precision,
schedule, clipping, accumulation, averaging, early stopping, checkpoints, exact
resume, TensorBoard and progress.

Exact resume costs no bookkeeping: every random number of a step comes from a
generator seeded by (seed, epoch, step), so a run that was killed anywhere and goes on from its
last checkpoint takes the same steps as one that was not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gds_pipelines.errors import InvalidInput, PipelineError

CHECKPOINT = "checkpoint.pt"


class Diverged(PipelineError):
    """The loss stopped being a number."""


class Cancelled(PipelineError):
    """Somebody asked the run to stop; its checkpoint stays."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands, as told to ``TrainingOptions.on_progress``.

    Args:
        epoch, epochs: finished epochs and planned ones.
        fraction: finished share of all steps, 0 to 1.
        loss: mean of the last epoch (or of the steps since the last report).
        metrics: the newest validation figures, empty without validation.
        seconds_left: estimate from the steps so far.
    """

    epoch: int
    epochs: int
    fraction: float
    loss: float
    metrics: Mapping[str, float]
    seconds_left: float


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


@dataclass(frozen=True)
class Moment:
    """The step being taken: ``rng`` is seeded by (seed, epoch, step) and nothing else."""

    epoch: int
    step: int
    device: torch.device
    rng: np.random.Generator
    shared: Any = None
    rank: int = 0
    world: int = 1


class Learner(torch.nn.Module):
    """What the loop trains: parameters, batches, loss.

    ``name`` and ``hyperparameters`` identify a run: a checkpoint of another one is refused.
    """

    name: str = "model"
    epochs: int = 1
    seed: int = 0
    learning_rate: float = 1e-3
    final_share: float = 0.05
    """The cosine schedule ends at this share of ``learning_rate``."""
    warmup: int = 10
    hyperparameters: Mapping[str, Any] = {}
    manual: bool = False
    """True: ``advance`` takes the whole step itself (fused kernels); one device only."""

    @abstractmethod
    def steps(self) -> int:
        """Batches of an epoch, >= 1."""

    def begin_epoch(self, rng: np.random.Generator) -> Any:
        """What all steps of an epoch share, e.g. a permutation; seeded by (seed, epoch)."""
        return None

    @abstractmethod
    def forward(self, moment: Moment) -> torch.Tensor:
        """Loss of one batch, a scalar. With several devices take every ``world``-th part, from ``rank``."""

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, betas=(0.9, 0.99), fused=True)

    def advance(self, moment: Moment, learning_rate: float) -> float | torch.Tensor:
        """One whole step of a manual learner; returns its loss."""
        raise NotImplementedError

    def evaluate(self) -> Mapping[str, float] | None:
        """Validation figures, the first of which decides (higher is better); None without validation."""
        return None


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


def use_threads(count: int | None) -> None:
    """Set the CPU threads of torch, numba and the BLAS of numpy; None keeps what is set.

    Threads of a BLAS that has more than it is given cores for spin while they wait: on a busy machine a model
    of many small products took ten times its processor time.
    """
    if count is None:
        return
    import numba
    import threadpoolctl

    torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count, user_api="blas")
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))


def train(learner: Learner, options: TrainingOptions) -> TrainingReport:
    """Train ``learner`` in place; at the end it holds the best weights seen (the last without validation).

    Raises:
        Diverged: the loss is not finite; the last good checkpoint is kept and named.
        Cancelled: ``should_stop`` said so; the checkpoint is kept.
        PipelineError: the directory cannot be written, or holds the checkpoint of another run.
    """
    return _Run(learner, options).go()


class _Run:
    def __init__(self, learner: Learner, options: TrainingOptions) -> None:
        from lightning.fabric import Fabric

        use_threads(options.threads)
        self.learner, self.options = learner, options
        if learner.manual and options.devices > 1:
            raise InvalidInput(
                "Training options",
                [f"model '{learner.name}' trains on one device, found devices={options.devices}"],
            )
        if learner.manual:
            self.fabric = Fabric(accelerator=options.accelerator, devices=1)
        else:
            strategy = "ddp" if options.devices > 1 else "auto"
            self.fabric = Fabric(
                accelerator=options.accelerator,
                devices=options.devices,
                strategy=strategy,
                precision=options.precision or "32-true",
            )
        self.fabric.launch()
        self.report = TrainingReport(device=str(self.fabric.device))
        self.best_value, self.best_state, self.since_best = -math.inf, None, 0
        self.average: dict[str, torch.Tensor] | None = None
        self.run_id = _run_id(learner, options)
        self.main = self.fabric.is_global_zero

    # ---------------------------------------------------------------- the loop

    def go(self) -> TrainingReport:
        learner, options, report = self.learner, self.options, self.report
        self.model, self.optimizer = learner, None
        if learner.manual:
            learner.to(self.fabric.device)
        else:
            self.model, self.optimizer = self.fabric.setup(learner, learner.optimizer())
        epoch, step = self._resume()
        steps = learner.steps()
        total = max(1, steps * learner.epochs)
        self.before = (report.seconds, report.cpu_seconds)
        self.started, self.cpu_started = time.perf_counter(), time.process_time()
        self.saved = self.told = self.started
        first = epoch * steps + step
        writer, wandb = self._writer(), self._wandb()
        with _bar(options.progress and self.main, learner.name, learner.epochs) as show:
            stop = report.stopped_early
            while epoch < learner.epochs and not stop:
                shared = learner.begin_epoch(np.random.default_rng([learner.seed, epoch]))
                losses = _Losses(self.carried if step else (0.0, 0))
                epoch_started = time.perf_counter()
                learner.train()
                while step < steps:
                    whole = step % options.accumulate == 0  # no gradient is waiting for its partners
                    if whole and options.should_stop is not None and options.should_stop():
                        self._check(losses, epoch, step)
                        self._save(epoch, step, losses)
                        raise Cancelled(
                            f"Training of '{learner.name}' was cancelled in epoch {epoch + 1}.{self._kept()}"
                        )
                    losses.add(self._step(epoch, step, shared, steps, total))
                    step += 1
                    now = time.perf_counter()
                    if now - self.told >= 1.0:
                        self._check(losses, epoch, step)
                        done = epoch * steps + step
                        left = (now - self.started) / max(1, done - first) * (total - done)
                        self._tell(
                            Progress(
                                epoch, learner.epochs, done / total, losses.mean(), self.figures(), left
                            ),
                            show,
                        )
                    due = now - self.saved >= options.checkpoint_seconds
                    if due and step < steps and step % options.accumulate == 0:
                        self._check(losses, epoch, step)
                        self._save(epoch, step, losses)
                self._check(losses, epoch, step)
                epoch, step = epoch + 1, 0
                row = {"epoch": epoch, "loss": losses.mean(), "seconds": time.perf_counter() - epoch_started}
                stop = self._evaluate(epoch, row)
                report.history.append(row)
                report.epochs, report.stopped_early = epoch, stop
                done = epoch * steps
                left = (time.perf_counter() - self.started) / max(1, done - first) * (total - done)
                self._tell(
                    Progress(
                        epoch,
                        learner.epochs,
                        done / total,
                        row["loss"],
                        self.figures(),
                        0.0 if stop else left,
                    ),
                    show,
                )
                if writer is not None:
                    for key, value in row.items():
                        if key != "epoch":
                            writer.add_scalar(key, value, epoch)
                    writer.flush()
                if wandb is not None:
                    wandb.log({key: value for key, value in row.items() if key != "epoch"}, step=epoch)
                self._save(epoch, 0, losses)
        if writer is not None:
            writer.close()
        if wandb is not None:
            wandb.finish()
        self._finish()
        return report

    def _step(self, epoch: int, step: int, shared: Any, steps: int, total: int) -> float | torch.Tensor:
        learner, options = self.learner, self.options
        moment = Moment(
            epoch,
            step,
            self.fabric.device,
            np.random.default_rng([learner.seed, epoch, step + 1]),
            shared,
            self.fabric.global_rank,
            self.fabric.world_size,
        )
        rate = _rate(learner, epoch * steps + step, total)
        if learner.manual:
            self.report.steps += 1
            return learner.advance(moment, rate)
        closing = (step + 1) % options.accumulate == 0 or step + 1 == steps
        with self.fabric.no_backward_sync(self.model, enabled=not closing and options.devices > 1):
            loss = self.model(moment)
            self.fabric.backward(loss / options.accumulate)
        if closing:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            if options.clip_norm is not None:
                self.fabric.clip_gradients(self.model, self.optimizer, max_norm=options.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.report.steps += 1
            if options.ema is not None:
                self._average(options.ema)
        return loss.detach()

    def _average(self, decay: float) -> None:
        state = self.learner.state_dict()
        if self.average is None:
            self.average = {name: value.detach().clone() for name, value in state.items()}
            return
        for name, value in state.items():
            if value.is_floating_point():
                self.average[name].lerp_(value.detach(), 1 - decay)

    def _evaluate(self, epoch: int, row: dict[str, float]) -> bool:
        """Fill ``row`` with validation figures, keep the best weights; True when patience ran out."""
        options = self.options
        if epoch % options.evaluate_every and epoch != self.learner.epochs:
            return False
        plain = None
        if self.average is not None:
            plain = _cpu(self.learner.state_dict())
            self.learner.load_state_dict(self.average)
        self.learner.eval()
        with torch.no_grad():
            figures = self.learner.evaluate()
        stop = False
        if figures:
            row.update(figures)
            value = next(iter(figures.values()))
            if value > self.best_value:
                self.best_value, self.since_best = value, 0
                self.best_state = _cpu(self.learner.state_dict())
                self.report.best_epoch = epoch
            else:
                self.since_best += 1
                stop = options.patience is not None and self.since_best >= options.patience
        if plain is not None:
            self.learner.load_state_dict(plain)
        return stop

    def _finish(self) -> None:
        report = self.report
        self._clock()
        if self.best_state is not None:
            self.learner.load_state_dict(self.best_state)
        else:
            report.best_epoch = report.epochs
            if self.average is not None:
                self.learner.load_state_dict(self.average)
        self.learner.eval()

    def figures(self) -> dict[str, float]:
        """The newest validation figures."""
        for row in reversed(self.report.history):
            found = {key: value for key, value in row.items() if key not in ("epoch", "loss", "seconds")}
            if found:
                return found
        return {}

    def _check(self, losses: _Losses, epoch: int, step: int) -> None:
        if not math.isfinite(losses.mean()):
            raise Diverged(
                f"Training of '{self.learner.name}' diverged in epoch {epoch + 1} (step {step}): the loss is "
                f"{losses.mean()}. Lower `learning_rate`, or clip the gradients.{self._kept()}"
            )

    def _kept(self) -> str:
        directory = self.options.directory
        if directory is None or not (directory / CHECKPOINT).exists():
            return ""
        return f" The last good checkpoint is kept: {directory / CHECKPOINT}."

    def _tell(self, progress: Progress, show: Callable[[Progress], None]) -> None:
        self.told = time.perf_counter()
        show(progress)
        if self.options.on_progress is not None and self.main:
            self.options.on_progress(progress)

    # ---------------------------------------------------------------- checkpoints

    def _clock(self) -> None:
        self.report.seconds = self.before[0] + time.perf_counter() - self.started
        self.report.cpu_seconds = self.before[1] + time.process_time() - self.cpu_started

    def _save(self, epoch: int, step: int, losses: _Losses) -> None:
        """Write the checkpoint beside the old one, then put it in place in one move."""
        directory = self.options.directory
        self.saved = time.perf_counter()
        if directory is None or not self.main:
            return
        self._clock()
        state = {
            "run": self.run_id,
            "epoch": epoch,
            "step": step,
            "losses": losses.state(),
            "learner": self.learner.state_dict(),
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "best": (self.best_value, self.best_state, self.since_best),
            "average": self.average,
            "report": self.report.to_mapping(),
        }
        target, fresh = directory / CHECKPOINT, directory / (CHECKPOINT + ".new")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(target)
        except (OSError, RuntimeError) as error:  # torch wraps a full disk into RuntimeError
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise PipelineError(
                f"The checkpoint could not be written to '{directory}': {error}.{self._kept()} "
                "Make room or choose another directory, then run the same command again."
            ) from error

    def _resume(self) -> tuple[int, int]:
        directory, self.carried = self.options.directory, (0.0, 0)
        if directory is None or not self.options.resume or not (directory / CHECKPOINT).exists():
            return 0, 0
        path = directory / CHECKPOINT
        try:
            state = torch.load(path, map_location=self.fabric.device, weights_only=True)
        except Exception as error:
            raise PipelineError(
                f"The checkpoint '{path}' cannot be read: {error}. Delete it to start from the beginning."
            ) from error
        if state["run"] != self.run_id:
            raise PipelineError(
                f"The checkpoint '{path}' is of another run (other model, settings, seed or data). "
                "Choose another directory, or delete it to start from the beginning."
            )
        self.learner.load_state_dict(state["learner"])
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.best_value, self.best_state, self.since_best = state["best"]
        self.best_state = None if self.best_state is None else _cpu(self.best_state)
        self.average = state["average"]
        self.carried = tuple(state["losses"])
        for key, value in state["report"].items():
            setattr(self.report, key, value)
        self.report.resumed, self.report.device = True, str(self.fabric.device)
        return state["epoch"], state["step"]

    def _writer(self):
        if self.options.directory is None or not self.options.tensorboard or not self.main:
            return None
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.options.directory / "tensorboard"))

    def _wandb(self) -> Any:
        """A run of Weights & Biases; the same one when training goes on from a checkpoint."""
        if self.options.wandb is None or not self.main:
            return None
        try:
            import wandb
        except ImportError as error:
            raise InvalidInput(
                "Training options",
                [
                    f"wandb is '{self.options.wandb}', but the package is not installed; run pip install "
                    "wandb, or leave it out: TensorBoard files are written anyway"
                ],
            ) from error
        return wandb.init(
            project=self.options.wandb,
            name=f"{self.learner.name} seed {self.learner.seed}",
            id=self.run_id[:16] if self.options.directory is not None else None,
            resume="allow",
            config=dict(self.learner.hyperparameters) | {"seed": self.learner.seed},
        )


class _Losses:
    """Running sum that stays on the device, so that a step does not wait for it."""

    def __init__(self, state: tuple[float, int]) -> None:
        self.total, self.count = state

    def add(self, loss: float | torch.Tensor) -> None:
        self.total = self.total + loss
        self.count += 1

    def mean(self) -> float:
        return float(self.total) / self.count if self.count else 0.0

    def state(self) -> tuple[float, int]:
        return float(self.total), self.count


def _rate(learner: Learner, step: int, total: int) -> float:
    """Linear warm-up, then a cosine down to ``final_share``; a function of the step alone."""
    up = min(1.0, (step + 1) / max(1, learner.warmup))
    down = 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
    return learner.learning_rate * up * (learner.final_share + (1 - learner.final_share) * down)


def _cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def _run_id(learner: Learner, options: TrainingOptions) -> str:
    parts = {
        "name": learner.name,
        "hyperparameters": dict(learner.hyperparameters),
        "seed": learner.seed,
        "shapes": {name: list(value.shape) for name, value in learner.state_dict().items()},
        "steps": learner.steps(),
        "options": [options.devices, options.precision, options.accumulate, options.clip_norm, options.ema],
        "data": getattr(learner, "fingerprint", ""),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@contextlib.contextmanager
def _bar(shown: bool, name: str, epochs: int) -> Iterator[Callable[[Progress], None]]:
    if not shown:
        yield lambda progress: None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("train {task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns) as bars:
        task = bars.add_task(name, total=1.0, state=f"epoch 0/{epochs}")

        def show(progress: Progress) -> None:
            figures = "".join(f" {key} {value:.4f}" for key, value in list(progress.metrics.items())[:1])
            state = f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.4f}{figures}"
            bars.update(task, completed=progress.fraction, state=state)

        yield show
