import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interactions import Interactions
from gds_pipelines.training import (
    CHECKPOINT,
    Cancelled,
    Diverged,
    Learner,
    TrainingOptions,
    progress_bar,
    train,
)
from gds_pipelines.training.progress_bar import ProgressLines

QUIET = TrainingOptions(accelerator="cpu", threads=1, tensorboard=False)


class Line(Learner):
    """Fits y = 2x + 1 from noisy points drawn in each step."""

    name, epochs, learning_rate, warmup = "line", 4, 0.05, 2

    def __init__(self, scores=None, poison=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.scores, self.poison, self.seen = scores, poison, []

    def steps(self):
        return 5

    def begin_epoch(self, rng):
        return rng.permutation(5)

    def forward(self, moment):
        self.seen.append((moment.epoch, moment.step))
        x = torch.from_numpy(moment.rng.normal(size=8).astype(np.float32)) + float(moment.shared[moment.step])
        loss = (self.weight[0] * x + self.weight[1] - 2 * x - 1).square().mean()
        if self.poison == (moment.epoch, moment.step):
            loss = loss * float("nan")
        return loss

    def evaluate(self):
        return None if self.scores is None else {"score": self.scores[len(self.seen) // 5 - 1]}


def test_a_run_learns_and_reports():
    learner = Line()
    learner.epochs, learner.learning_rate = 60, 0.2
    report = train(learner, QUIET)
    assert learner.weight.detach().numpy() == pytest.approx([2, 1], abs=0.01)
    assert report.epochs == 60
    assert report.steps == 300
    assert report.history[-1]["loss"] < report.history[0]["loss"]


@pytest.mark.parametrize("options", [QUIET, replace(QUIET, ema=0.9, accumulate=2, clip_norm=1.0)])
@pytest.mark.parametrize("stop_at", [(0, 0), (1, 3), (3, 2)])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, options, stop_at):
    whole = Line(scores=[0.1, 0.4, 0.3, 0.2])
    expected = train(whole, options)
    first = Line(scores=[0.1, 0.4, 0.3, 0.2])
    stopping = replace(
        options, directory=tmp_path, should_stop=lambda: bool(first.seen) and first.seen[-1] >= stop_at
    )
    with pytest.raises(Cancelled, match="last good checkpoint is kept"):
        train(first, stopping)
    second = Line(scores=[0.1, 0.4, 0.3, 0.2])
    second.seen = list(first.seen)
    told = []
    report = train(second, replace(options, directory=tmp_path, on_resume=lambda *at: told.append(at)))
    assert told == [(stop_at[0], second.epochs)]
    assert second.seen == whole.seen
    assert torch.equal(second.weight, whole.weight)
    assert report.resumed
    assert (report.steps, report.best_epoch) == (expected.steps, expected.best_epoch) == (expected.steps, 2)
    assert [row["loss"] for row in report.history] == [row["loss"] for row in expected.history]


def test_a_line_now_and_then_says_how_far_a_long_run_is(monkeypatch):
    """The clock is made up: an epoch takes 20 s."""
    lines, clock = [], {"now": 0.0}
    monkeypatch.setattr(progress_bar, "monotonic", lambda: clock["now"])
    spoken = ProgressLines(lines.append)

    def after_an_epoch(progress):
        clock["now"] = 20.0 * progress.epoch
        spoken(progress)

    train(Line(scores=[0.1, 0.4, 0.3, 0.2]), replace(QUIET, on_progress=after_an_epoch))
    assert [line.split(" loss")[0] for line in lines] == ["  epoch 2/4", "  epoch 4/4"]
    assert " left" in lines[0]
    assert lines[1].endswith("score 0.2000, 0:00:00 left")


@pytest.mark.parametrize(("name", "rounds"), [("ials", "iterations"), ("mf-ratings", "sweeps")])
def test_models_that_solve_rounds_say_how_far_they_are_as_well(name, rounds):
    rng, told, lines = np.random.default_rng(0), [], []
    data = Interactions.from_indices(
        *(rng.integers(0, 20, 200) for _ in range(2)),
        rng.integers(1, 6, 200).astype(np.float32),
        user_keys=np.arange(20),
        item_keys=np.arange(20),
    )
    model = models.recommender(name)({"dimension": 2, rounds: 4})
    model.fit(data, options=replace(QUIET, on_progress=told.append))
    assert [(one.epoch, one.epochs, one.fraction) for one in told] == [(n, 4, n / 4) for n in (1, 2, 3, 4)]
    assert told[0].seconds_left > told[3].seconds_left == 0
    for one in told:
        ProgressLines(lines.append, seconds=0.0)(one)
    assert lines[0].startswith("  epoch 1/4")
    assert "nan" not in " ".join(lines)


KILLED = """
import sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_training import Line, QUIET, train
class Slow(Line):
    def forward(self, moment):
        # After four epochs it hangs, so that the kill meets it in the middle however slow the machine is.
        time.sleep(0.02 if moment.epoch < 4 else 600)
        return super().forward(moment)
learner = Slow()
learner.epochs = 30
train(learner, replace(QUIET, directory=Path(sys.argv[2]), checkpoint_seconds=0.05))
"""


def test_a_killed_process_goes_on_from_its_checkpoint(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    here = os.path.dirname(__file__)
    process = subprocess.Popen([sys.executable, "-c", KILLED, here, str(tmp_path)], env=environment)
    until = time.monotonic() + 300
    while not (tmp_path / CHECKPOINT).exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole, rest = Line(), Line()
    whole.epochs = rest.epochs = 30
    train(whole, QUIET)
    report = train(rest, replace(QUIET, directory=tmp_path))
    assert report.resumed
    assert 0 < len(rest.seen) < len(whole.seen)
    assert torch.equal(rest.weight, whole.weight)


def test_patience_stops_early_and_the_best_weights_are_kept():
    learner = Line(scores=[0.1, 0.5, 0.4, 0.3])
    best = {}
    plain = learner.evaluate

    def remember():
        best[len(learner.seen) // 5] = learner.weight.detach().clone()
        return plain()

    learner.evaluate = remember
    report = train(learner, replace(QUIET, patience=1))
    assert (report.stopped_early, report.epochs, report.best_epoch) == (True, 3, 2)
    assert torch.equal(learner.weight.detach(), best[2])


def test_a_diverging_run_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(
        Diverged, match=r"diverged in epoch 3 .*Lower `learning_rate`.*last good checkpoint is kept"
    ):
        train(Line(poison=(2, 1)), replace(QUIET, directory=tmp_path))
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["epoch"] == 2
    assert all(torch.isfinite(value).all() for value in state["learner"].values())


def test_checkpoints_of_other_runs_and_broken_ones_are_refused(tmp_path):
    train(Line(), replace(QUIET, directory=tmp_path))
    other = Line()
    other.seed = 1
    with pytest.raises(PipelineError, match="of another run"):
        train(other, replace(QUIET, directory=tmp_path))
    (tmp_path / CHECKPOINT).write_bytes(b"nonsense")
    with pytest.raises(PipelineError, match="cannot be read"):
        train(Line(), replace(QUIET, directory=tmp_path))
    train(Line(), replace(QUIET, directory=tmp_path, resume=False))


def test_a_full_disk_is_said_and_the_old_checkpoint_stays(tmp_path, monkeypatch):
    learner, calls, save = Line(), [], torch.save

    def full(state, file):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        save(state, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(PipelineError, match=r"No space left on device.*checkpoint is kept.*Make room"):
        train(learner, replace(QUIET, directory=tmp_path))
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["epoch"] == 1
    assert not (tmp_path / (CHECKPOINT + ".new")).exists()


def test_tensorboard_files_and_progress_are_written(tmp_path):
    told = []
    train(
        Line(scores=[1, 2, 3, 4]),
        replace(QUIET, directory=tmp_path, tensorboard=True, on_progress=told.append),
    )
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert [moment.fraction for moment in told][-1] == 1.0
    assert told[-1].metrics == {"score": 4}


def test_a_project_of_weights_and_biases_gets_every_epoch(monkeypatch, tmp_path):
    """By a stand-in for its package: what is asked of it, in order."""
    asked = []

    class Logged:
        def log(self, values, step):
            asked.append((step, sorted(values), values.get("score")))

        def finish(self, exit_code=0):
            asked.append(("finish", exit_code))

    def init(**given):
        asked.append(given)
        return Logged()

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    train(Line(scores=[1, 2, 3, 4]), replace(QUIET, wandb="shop", directory=tmp_path))
    first, *epochs, last = asked
    assert (first["project"], first["resume"], len(first["id"])) == ("shop", "allow", 16)
    assert "seed" in first["config"]
    assert epochs == [(epoch, ["loss", "score", "seconds"], epoch) for epoch in (1, 2, 3, 4)]
    assert last == ("finish", 0)
    with pytest.raises(Diverged):
        train(Line(poison=(2, 1)), replace(QUIET, wandb="shop"))
    assert asked[-1] == ("finish", 1)
    asked.clear()
    train(Line(scores=[1, 2, 3, 4]), QUIET)
    assert asked == []
    monkeypatch.setitem(sys.modules, "wandb", None)  # as where it is not installed
    with pytest.raises(InvalidInput, match="pip install wandb"):
        train(Line(scores=[1]), replace(QUIET, wandb="shop"))


def test_wrong_options_are_named_at_once():
    with pytest.raises(InvalidInput) as caught:
        TrainingOptions(devices=0, patience=0, ema=2.0)
    assert len(caught.value.faults) == 3


class Mean(Learner):
    """One weight, pulled down by what its process was dealt: gradients 1 and 3, so 2 on average."""

    name, epochs, learning_rate, warmup, final_share = "mean", 2, 0.5, 1, 1.0

    def __init__(self, fails_at=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.fails_at = fails_at

    def steps(self):
        return 3

    def optimizer(self):
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)

    def forward(self, moment):
        assert moment.world == 2
        if self.fails_at == moment.step and moment.rank == 1:
            raise ValueError("out of luck")
        return (1.0 + 2.0 * moment.rank) * self.weight.sum()


def test_two_processes_take_the_mean_step(tmp_path):
    learner = Mean()
    report = train(learner, replace(QUIET, devices=2, directory=tmp_path))
    # Six steps of 0.5 * (1 + 3) / 2 each.
    assert learner.weight.item() == pytest.approx(-6.0)
    # Losses before the steps of the first epoch are 2 w for w = 0, -1, -2, over both processes.
    assert report.history[0]["loss"] == pytest.approx(-2.0)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["learner"]["weight"].item() == -6.0
    assert not torch.distributed.is_initialized()


def test_a_process_that_ends_before_its_time_is_said_with_its_last_words():
    with pytest.raises(PipelineError, match=r"(?s)Process 1 of a training on 2 devices ended.*out of luck"):
        train(Mean(fails_at=1), replace(QUIET, devices=2))


def test_what_a_machine_or_a_learner_has_not_is_refused_in_words():
    with pytest.raises(InvalidInput, match=r"accelerator 'tpu' with 1 devices .* cannot be had here"):
        train(Line(), replace(QUIET, accelerator="tpu"))
    manual = Line()
    manual.manual = True
    with pytest.raises(InvalidInput) as caught:
        train(manual, replace(QUIET, devices=2, accumulate=2, clip_norm=1.0))
    assert len(caught.value.faults) == 3


def test_the_threads_that_are_asked_for_are_those_that_are_taken():
    """In a process of its own, where torch has computed and numba has not: as that starts its threads it sets
    torch's, too."""
    program = (
        "import torch; torch.get_num_threads(); "
        "from gds_pipelines.training import use_threads; use_threads(1); "
        "import numba; print(torch.get_num_threads(), numba.get_num_threads())"
    )
    many = os.environ | {"OMP_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=many, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]
