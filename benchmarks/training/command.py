"""``gnn4j benchmark accuracy`` as a process of its own: what it found, and what it cost."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet


@dataclass(frozen=True)
class Done:
    """One run of the command.

    Args:
        result: what it printed.
        wall, cpu: seconds of the whole process, its start and the reading of files included.
        users: how many got a list.
    """

    result: dict[str, Any]
    wall: float
    cpu: float
    users: int

    @property
    def peak_gib(self) -> float:
        """The most memory the process held."""
        return round(self.result["peakMemoryBytes"] / 2**30, 2)


def run(model: str, train: Path, test: Path, words: Sequence[str]) -> Done:
    """Start, read the files, choose and train, rank all test users, write their lists.

    Raises:
        RuntimeError: with what the command said, when it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.parquet"
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "gds_pipelines.cli", "benchmark", "accuracy", model),
                *("--train", str(train), "--test", str(test)),
                *("--json", "--recommendations", str(lists), *words),
            ],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"The command failed: {done.stderr.strip()}")
        users = len(pyarrow.parquet.read_table(lists, columns=["user"])["user"].unique())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Done(json.loads(done.stdout), wall, cpu, users)
