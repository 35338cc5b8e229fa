"""The other processes of a data-parallel run on one machine.

The process that calls ``train`` is rank 0 and keeps what a caller sees: progress, checkpoints, errors. Each
further rank is a fresh process that reads the learner from a file, joins the group and takes the same steps
on its part of every batch. They meet by a file, not at a port, and talk over the loopback device alone; gloo
on processors, NCCL on GPUs. Whatever ends rank 0 ends them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gds_pipelines.errors import PipelineError

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments import LightningEnvironment

    from gds_pipelines.training.learner import Learner
    from gds_pipelines.training.options import TrainingOptions

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others, at the start and in a step."""
LAST_WORDS = 600
TAKE_PART = (
    "import sys; from pathlib import Path; from gds_pipelines.training.data_parallel import take_part; "
    "take_part(Path(sys.argv[1]), int(sys.argv[2]))"
)


@dataclass(frozen=True)
class Place:
    """One process in the group: ``rank`` of ``world``, which meets the others in ``folder``."""

    rank: int
    world: int
    folder: Path

    def environment(self) -> LightningEnvironment:
        """What Fabric asks for its rank, so that it starts no processes itself."""
        from lightning.fabric.plugins.environments import LightningEnvironment

        class Started(LightningEnvironment):
            creates_processes_externally = True

            def local_rank(inner) -> int:
                return self.rank

        return Started()

    def join(self, device: torch.device) -> None:
        """Wait until all are there."""
        loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
        if loopback is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
            os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
        torch.distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            init_method=f"file://{self.folder / 'group'}",
            rank=self.rank,
            world_size=self.world,
            timeout=PATIENCE,
        )


@contextlib.contextmanager
def others(learner: Learner, options: TrainingOptions) -> Iterator[Place]:
    """Start ranks 1 to ``options.devices`` - 1, give the place of rank 0, end them when the block ends.

    Raises:
        PipelineError: one of them ended before its time; with its last words.
    """
    silent = replace(options, progress=False, on_progress=None, on_resume=None, should_stop=None, wandb=None)
    with tempfile.TemporaryDirectory(prefix="gnn4j-") as name:
        folder = Path(name)
        (folder / "request").write_bytes(pickle.dumps((learner, silent)))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        started = []
        try:
            for rank in range(1, options.devices):
                with (folder / f"words-{rank}").open("wb") as words:
                    command = [sys.executable, "-c", TAKE_PART, name, str(rank)]
                    started.append(
                        subprocess.Popen(command, env=environment, stdout=words, stderr=subprocess.STDOUT)
                    )
            _await(folder, started)
            try:
                yield Place(0, options.devices, folder)
            except RuntimeError as error:  # how torch says that nobody answers
                _explain(folder, started, error)
                raise
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in started:
                    process.wait(PATIENCE.total_seconds())
        finally:
            for process in started:
                process.kill()
                process.wait()
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()


def _await(folder: Path, started: list[subprocess.Popen]) -> None:
    """Until every process has read its request: who waits in a group cannot see that another has died."""
    until = time.monotonic() + PATIENCE.total_seconds()
    waiting = set(range(1, len(started) + 1))
    while waiting and time.monotonic() < until:
        waiting = {rank for rank in waiting if not (folder / f"ready-{rank}").exists()}
        _explain(folder, started, None)
        time.sleep(0.02)


def _explain(folder: Path, started: list[subprocess.Popen], error: Exception | None) -> None:
    """Raise in words if a process has failed."""
    if error is not None:  # its end may follow its silence by a moment
        with contextlib.suppress(subprocess.TimeoutExpired):
            for process in started:
                process.wait(5)
    for rank, process in enumerate(started, start=1):
        if process.poll():
            words = (folder / f"words-{rank}").read_text(errors="replace").strip()[-LAST_WORDS:]
            raise PipelineError(
                f"Process {rank} of a training on {len(started) + 1} devices ended with exit code "
                f"{process.returncode}: {words or 'it said nothing'}. Train on fewer devices, or run the "
                "same command again: what has a checkpoint goes on from it."
            ) from error


def take_part(folder: Path, rank: int) -> None:
    """What a further process does, from beginning to end."""
    from gds_pipelines.training.loop import join

    learner, options = pickle.loads((folder / "request").read_bytes())
    (folder / f"ready-{rank}").touch()
    join(learner, options, Place(rank, options.devices, folder))
    torch.distributed.destroy_process_group()
