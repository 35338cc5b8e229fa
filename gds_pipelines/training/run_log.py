"""Where the figures of a run are logged, epoch by epoch: TensorBoard files, Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gds_pipelines.errors import InvalidInput
from gds_pipelines.training.learner import Learner
from gds_pipelines.training.options import TrainingOptions


class RunLog:
    """A context: open while a run goes, closed however it ends.

    Args:
        run_id: of the run; one that goes on from a checkpoint goes on in Weights & Biases too.
        shown: False opens nothing (all processes of a distributed run but the first).
    Raises:
        InvalidInput: Weights & Biases are asked for and not installed.
    """

    def __init__(self, learner: Learner, options: TrainingOptions, run_id: str, shown: bool) -> None:
        self._tensorboard = _tensorboard(options) if shown else None
        self._wandb = _wandb(learner, options, run_id) if shown else None

    def write(self, epoch: int, row: Mapping[str, float]) -> None:
        """The figures of a finished epoch, counted from 1."""
        values = {key: value for key, value in row.items() if key != "epoch"}
        if self._tensorboard is not None:
            for key, value in values.items():
                self._tensorboard.add_scalar(key, value, epoch)
            self._tensorboard.flush()
        if self._wandb is not None:
            self._wandb.log(values, step=epoch)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is None:
            return
        # Left open, it would take in the figures of the next run of this process.
        if kind is None:
            self._wandb.finish()
        else:
            self._wandb.finish(exit_code=1)


def _tensorboard(options: TrainingOptions) -> Any:
    if options.directory is None or not options.tensorboard:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(options.directory / "tensorboard"))


def _wandb(learner: Learner, options: TrainingOptions, run_id: str) -> Any:
    if options.wandb is None:
        return None
    try:
        import wandb
    except ImportError as error:
        raise InvalidInput(
            "Training options",
            [
                f"wandb is '{options.wandb}', but the package is not installed; run pip install "
                "wandb, or leave it out: TensorBoard files are written anyway"
            ],
        ) from error
    return wandb.init(
        project=options.wandb,
        name=f"{learner.name} seed {learner.seed}",
        id=run_id[:16] if options.directory is not None else None,
        resume="allow",
        config=dict(learner.hyperparameters) | {"seed": learner.seed},
    )
