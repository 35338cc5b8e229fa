"""What a person sees at the terminal: errors in words, progress, tables; and JSON for a machine.

Results go to standard output, everything else to standard error, so that ``gnn4j … --json | jq`` works.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from gds_pipelines.errors import PipelineError

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@contextmanager
def fail_in_words(as_json: bool = False) -> Iterator[None]:
    """The one place that turns an error a user can meet into a sentence and exit code 1.

    Anything else is a fault of ours and keeps its stack trace.

    Args:
        as_json: print ``{"error": …}`` on standard output as well.
    """
    try:
        yield
    except KeyboardInterrupt:
        err.print("Stopped.")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        if as_json:
            print_json({"error": sentence})
        err.print(f"[bold red]Error:[/] {plain(sentence)}")
        raise typer.Exit(1) from error


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Names and values, one a line, the values in one column; None is left out."""
    shown = {name: value for name, value in pairs.items() if value is not None}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        out.print(f"[bold]{name:<{width}}[/]  {plain(str(value))}")


class Steps:
    """Shows steps one after the other: a line each, and a live bar where there is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[now]}"),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._waiting = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None

    def step(self, text: str, expected: int | None = None) -> None:
        """Show what happens now; with ``expected`` (a count) as a bar that ``received`` moves."""
        self.done()
        self._console.print(f"{text} …")
        if not self._live:
            return
        if expected is None:
            self._waiting.add_task(text)
            self._waiting.start()
        else:
            self._task = self._progress.add_task(text, total=expected, now="")
            self._progress.start()

    def received(self, name: str, count: int) -> None:
        """Move the bar by ``count``; without a bar nothing happens."""
        if self._task is not None:
            self._progress.update(self._task, advance=count, now=name)

    def done(self) -> None:
        """Ends the step that is shown; its line stays."""
        for progress in (self._progress, self._waiting):
            progress.stop()
            for task in progress.task_ids:
                progress.remove_task(task)
        self._task = None


@contextmanager
def steps(quiet: bool = False) -> Iterator[Steps]:
    """A report for installations and starts on standard error; ``quiet`` shows nothing."""
    shown = Steps(Console(quiet=True) if quiet else err)
    try:
        yield shown
    finally:
        shown.done()


def _sentence(error: Exception) -> str | None:
    if isinstance(error, PipelineError):
        return str(error)
    if "neo4j" not in sys.modules:  # the driver takes a second to import
        return None
    from neo4j.exceptions import DriverError, Neo4jError

    from gds_pipelines.connection import in_words

    return in_words(error) if isinstance(error, DriverError | Neo4jError) else None


def plain(text: str) -> str:
    """Square brackets of a message are no markup."""
    return text.replace("[", r"\[")
