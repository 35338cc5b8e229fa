"""The training loop.

Exact resume costs no bookkeeping: every random number of a step comes from a
generator seeded by (seed, epoch, step), so a run that was killed anywhere and goes on from its
last checkpoint takes the same steps as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.training import data_parallel
from gds_pipelines.training.checkpoint import CheckpointFile, run_id
from gds_pipelines.training.learner import Learner, Moment
from gds_pipelines.training.options import Progress, TrainingOptions
from gds_pipelines.training.progress_bar import progress_bar
from gds_pipelines.training.report import TrainingReport
from gds_pipelines.training.run_log import RunLog
from gds_pipelines.training.threads import use_threads

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from gds_pipelines.training.data_parallel import Place


class Diverged(PipelineError):
    """The loss stopped being a number."""


class Cancelled(PipelineError):
    """Somebody asked the run to stop; its checkpoint stays."""


def train(learner: Learner, options: TrainingOptions) -> TrainingReport:
    """Train ``learner`` in place; at the end it holds the best weights seen (the last without validation).

    Raises:
        InvalidInput: a device or precision that the machine has not, an option that a learner which takes
            its own steps has no use for, or Weights & Biases asked for and not installed.
        Diverged: the loss is not finite; the last good checkpoint is kept and named.
        Cancelled: ``should_stop`` said so; the checkpoint is kept.
        PipelineError: the directory cannot be written, or holds the checkpoint of another run.
    """
    if learner.manual:
        _refuse_manual(learner, options)
    if options.devices == 1:
        return _Run(learner, options).go()
    with data_parallel.others(learner, options) as place:
        return _Run(learner, options, place).go()


def join(learner: Learner, options: TrainingOptions, place: Place) -> None:
    """Take the steps of a further process of a data-parallel run; see ``data_parallel``."""
    _Run(learner, options, place).go()


def _refuse_manual(learner: Learner, options: TrainingOptions) -> None:
    """What needs an optimizer has no meaning where the model takes its steps itself."""
    asked = {
        "devices": options.devices > 1,
        "clip_norm": options.clip_norm is not None,
        "accumulate": options.accumulate > 1,
    }
    faults = [
        f"`{name}` has no meaning for '{learner.name}', which takes its steps itself, on one device"
        for name, given in asked.items()
        if given
    ]
    if faults:
        raise InvalidInput("Training options", faults)


def _fabric(learner: Learner, options: TrainingOptions, place: Place | None) -> Fabric:
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy

    given: dict[str, Any] = {"accelerator": options.accelerator, "devices": options.devices}
    if not learner.manual:
        given["precision"] = options.precision or "32-true"
    if place is not None:
        given["strategy"] = DDPStrategy(
            cluster_environment=place.environment(), find_unused_parameters=learner.some_unused
        )
    try:
        return Fabric(**given)
    except Exception as error:  # Lightning raises what it likes
        raise InvalidInput(
            "Training options",
            [
                f"accelerator '{options.accelerator}' with {options.devices} devices and precision "
                f"{options.precision or 'as usual'} cannot be had here: {error}"
            ],
        ) from error


class _Run:
    def __init__(self, learner: Learner, options: TrainingOptions, place: Place | None = None) -> None:
        use_threads(options.threads)
        self.learner, self.options = learner, options
        self.fabric = _fabric(learner, options, place)
        if place is not None:
            place.join(self.fabric.device)
        self.fabric.launch()
        self.report = TrainingReport(device=str(self.fabric.device))
        self.best_value, self.best_state, self.since_best = -math.inf, None, 0
        self.average: dict[str, torch.Tensor] | None = None
        self.run_id = run_id(learner, options)
        self.checkpoint = CheckpointFile(options.directory, self.run_id)
        self.main = self.fabric.is_global_zero

    def go(self) -> TrainingReport:
        learner, options, report = self.learner, self.options, self.report
        self.model, self.optimizer = learner, None
        if learner.manual:
            learner.to(self.fabric.device)
        else:
            self.model, self.optimizer = self.fabric.setup(learner, learner.optimizer())
        epoch, step = self._resume()
        self.steps = learner.steps()
        self.total = max(1, self.steps * learner.epochs)
        self.first = epoch * self.steps + step
        self.before = (report.seconds, report.cpu_seconds)
        self.started, self.cpu_started = time.perf_counter(), time.process_time()
        self.saved = self.told = self.started
        bar = progress_bar(options.progress and self.main, learner.name, learner.epochs)
        with RunLog(learner, options, self.run_id, self.main) as log, bar as self.show:
            while epoch < learner.epochs and not report.stopped_early:
                losses, seconds = self._epoch(epoch, step)
                epoch, step = epoch + 1, 0
                row = {"epoch": epoch, "loss": losses.mean(), "seconds": seconds}
                if options.devices > 1:
                    mean = torch.tensor(row["loss"], device=self.fabric.device)
                    row["loss"] = float(self.fabric.all_reduce(mean))
                report.stopped_early = self.fabric.broadcast(self._evaluate(epoch, row))
                report.history.append(row)
                report.epochs = epoch
                self._tell(epoch, 0, row["loss"])
                log.write(epoch, row)
                self._save(epoch, 0, losses)
        self._finish()
        return report

    # ---------------------------------------------------------------- epochs and steps

    def _epoch(self, epoch: int, step: int) -> tuple[_Losses, float]:
        """The steps of an epoch from ``step`` on; their losses and the seconds they took."""
        options = self.options
        shared = self.learner.begin_epoch(np.random.default_rng([self.learner.seed, epoch]))
        losses = _Losses(self.carried if step else (0.0, 0))
        started = time.perf_counter()
        self.learner.train()
        while step < self.steps:
            whole = step % options.accumulate == 0  # no gradient is waiting for its partners
            if whole and options.should_stop is not None and options.should_stop():
                self._check(losses, epoch, step)
                self._save(epoch, step, losses)
                raise Cancelled(
                    f"Training of '{self.learner.name}' was cancelled in epoch {epoch + 1}."
                    f"{self.checkpoint.kept}"
                )
            losses.add(self._step(epoch, step, shared))
            step += 1
            now = time.perf_counter()
            if now - self.told >= 1.0:
                self._check(losses, epoch, step)
                self._tell(epoch, step, losses.mean())
            due = now - self.saved >= options.checkpoint_seconds
            if due and step < self.steps and step % options.accumulate == 0:
                self._check(losses, epoch, step)
                self._save(epoch, step, losses)
        self._check(losses, epoch, step)
        return losses, time.perf_counter() - started

    def _step(self, epoch: int, step: int, shared: Any) -> float | torch.Tensor:
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
        rate = _rate(learner, epoch * self.steps + step, self.total)
        if learner.manual:
            self.report.steps += 1
            loss = learner.advance(moment, rate)
            if options.ema is not None:
                self._average(options.ema)
            return loss
        closing = (step + 1) % options.accumulate == 0 or step + 1 == self.steps
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

    def _check(self, losses: _Losses, epoch: int, step: int) -> None:
        if self.main and not math.isfinite(losses.mean()):
            raise Diverged(
                f"Training of '{self.learner.name}' diverged in epoch {epoch + 1} (step {step}): the loss is "
                f"{losses.mean()}. Lower `learning_rate`, or clip the gradients.{self.checkpoint.kept}"
            )

    # ---------------------------------------------------------------- validation

    def _evaluate(self, epoch: int, row: dict[str, float]) -> bool:
        """Fill ``row`` with validation figures, keep the best weights; True when patience ran out."""
        options = self.options
        if epoch % options.evaluate_every and epoch != self.learner.epochs:
            return False
        plain = None
        if self.average is not None:
            plain = _on_cpu(self.learner.state_dict())
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
                self.best_state = _on_cpu(self.learner.state_dict())
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

    # ---------------------------------------------------------------- telling and keeping

    def _tell(self, epoch: int, step: int, loss: float) -> None:
        """Progress after ``epoch`` whole epochs and ``step`` steps of the next."""
        done = epoch * self.steps + step
        pace = (time.perf_counter() - self.started) / max(1, done - self.first)
        left = 0.0 if self.report.stopped_early else pace * (self.total - done)
        progress = Progress(epoch, self.learner.epochs, done / self.total, loss, self._newest_figures(), left)
        self.told = time.perf_counter()
        self.show(progress)
        if self.options.on_progress is not None and self.main:
            self.options.on_progress(progress)

    def _newest_figures(self) -> Mapping[str, float]:
        """Of the last epoch that was evaluated; empty before the first."""
        for row in reversed(self.report.history):
            found = {key: value for key, value in row.items() if key not in ("epoch", "loss", "seconds")}
            if found:
                return found
        return {}

    def _clock(self) -> None:
        self.report.seconds = self.before[0] + time.perf_counter() - self.started
        self.report.cpu_seconds = self.before[1] + time.process_time() - self.cpu_started

    def _save(self, epoch: int, step: int, losses: _Losses) -> None:
        self.saved = time.perf_counter()
        if self.options.directory is None or not self.main:
            return
        self._clock()
        self.checkpoint.write(
            {
                "epoch": epoch,
                "step": step,
                "losses": losses.state(),
                "learner": self.learner.state_dict(),
                "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
                "best": (self.best_value, self.best_state, self.since_best),
                "average": self.average,
                "report": self.report.to_mapping(),
            }
        )

    def _resume(self) -> tuple[int, int]:
        """Take the checkpoint back, if there is one to go on from; the epoch and the step to go on with."""
        self.carried = (0.0, 0)
        state = self.checkpoint.read(self.fabric.device) if self.options.resume else None
        if state is None:
            return 0, 0
        self.learner.load_state_dict(state["learner"])
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.best_value, self.best_state, self.since_best = state["best"]
        self.best_state = None if self.best_state is None else _on_cpu(self.best_state)
        self.average = state["average"]
        self.carried = tuple(state["losses"])
        for key, value in state["report"].items():
            setattr(self.report, key, value)
        self.report.resumed, self.report.device = True, str(self.fabric.device)
        if self.options.on_resume is not None and self.main:
            self.options.on_resume(state["epoch"], self.learner.epochs)
        return state["epoch"], state["step"]


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


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}
