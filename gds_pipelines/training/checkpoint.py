"""The checkpoint of a run: one file, replaced in one move, taken back only by the run that wrote it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gds_pipelines.errors import PipelineError
from gds_pipelines.training.learner import Learner
from gds_pipelines.training.options import TrainingOptions

CHECKPOINT = "checkpoint.pt"


class CheckpointFile:
    """Where a run keeps its state.

    Args:
        directory: made when first written to; None keeps nothing and has nothing.
        run_id: as ``run_id`` has it.
    """

    def __init__(self, directory: Path | None, run_id: str) -> None:
        self._path = None if directory is None else directory / CHECKPOINT
        self._run_id = run_id

    @property
    def kept(self) -> str:
        """A sentence for messages: where the last good one is; empty where there is none."""
        if self._path is None or not self._path.exists():
            return ""
        return f" The last good checkpoint is kept: {self._path}."

    def write(self, state: Mapping[str, Any]) -> None:
        """Put ``state`` in place of the checkpoint before; a failure or a kill leaves that one whole.

        Raises:
            PipelineError: the directory cannot be made, or the disk is full.
        """
        if self._path is None:
            return
        fresh = self._path.with_name(CHECKPOINT + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                torch.save({"run": self._run_id, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except (OSError, RuntimeError) as error:  # torch wraps a full disk into RuntimeError
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise PipelineError(
                f"The checkpoint could not be written to '{self._path.parent}': {error}.{self.kept} "
                "Make room or choose another directory, then run the same command again."
            ) from error

    def read(self, device: torch.device) -> dict[str, Any] | None:
        """The state last written, its tensors on ``device``; None where there is none.

        Raises:
            PipelineError: the file is damaged, or of another run.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            state = torch.load(self._path, map_location=device, weights_only=True)
        except Exception as error:
            raise PipelineError(
                f"The checkpoint '{self._path}' cannot be read: {error}. "
                "Delete it to start from the beginning."
            ) from error
        if state["run"] != self._run_id:
            raise PipelineError(
                f"The checkpoint '{self._path}' is of another run (other model, settings, seed or data). "
                "Choose another directory, or delete it to start from the beginning."
            )
        return state


def run_id(learner: Learner, options: TrainingOptions) -> str:
    """64 hex digits that are equal exactly where a run would take the same steps on the same data."""
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
