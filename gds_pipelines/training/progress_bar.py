"""What a person sees while a model learns: a bar, or lines where nothing can move."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic

from gds_pipelines.training.options import Progress


class ProgressLines:
    """A line now and then, for output that goes to a file; a run that is soon over adds none.

    Args:
        write: takes a line.
        seconds: no two lines come sooner after each other, and none sooner after the start.
    """

    def __init__(self, write: Callable[[str], object], seconds: float = 30.0) -> None:
        self._write, self._seconds, self._last = write, seconds, monotonic()

    def __call__(self, progress: Progress) -> None:
        now = monotonic()
        if now - self._last < self._seconds:
            return
        self._last = now
        self._write(f"  {_state(progress)}, {timedelta(seconds=round(progress.seconds_left))} left")


@contextlib.contextmanager
def progress_bar(shown: bool, name: str, epochs: int) -> Iterator[Callable[[Progress], None]]:
    """Gives what to call with every ``Progress``; that does nothing unless ``shown``."""
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
            bars.update(task, completed=progress.fraction, state=_state(progress))

        yield show


def _state(progress: Progress) -> str:
    figures = "".join(f" {key} {value:.4f}" for key, value in list(progress.figures.items())[:2])
    return f"epoch {progress.epoch}/{progress.epochs}{figures}"
