"""The bar a person sees while a model learns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from gds_pipelines.training.options import Progress


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
            figures = "".join(f" {key} {value:.4f}" for key, value in list(progress.metrics.items())[:1])
            state = f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.4f}{figures}"
            bars.update(task, completed=progress.fraction, state=state)

        yield show
