"""``gnn4j models``: what can be trained."""

from typing import Annotated

import typer
from rich.markup import escape

from gds_pipelines.console import fail_in_words, out, print_json


def register(app: typer.Typer) -> None:
    app.command("models")(models_command)


def models_command(
    name: Annotated[str | None, typer.Argument(help="Show one model with its hyper-parameters.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One object a model, for machines.")] = False,
) -> None:
    """List the models: source, serving contract, what they need, measured figures.

    Example:  gnn4j models fism
    """
    with fail_in_words(json):
        from rich.table import Table

        from gds_pipelines import models

        chosen = [models.recommender(name)] if name else list(models.registry().values())
        rows = [model.describe() | {"measured": models.measured(model.info.name)} for model in chosen]
        if json:
            print_json(rows)
            return
        table = Table(box=None, pad_edge=False)
        for column in ("model", "what it is", "contract", "measured"):
            table.add_column(column, overflow="fold")
        for row in rows:
            mark = " (default)" if row["name"] == models.DEFAULT_MODEL else ""
            contract = row["contract"] or "none needed"
            figures = "\n".join(_figures(row["measured"]))
            table.add_row(f"[bold]{row['name']}[/]{mark}", _what(row), contract, figures)
        out.print(table)
        if name:
            _details(rows[0])


def _what(row: dict) -> str:
    """Title, source, what it is for and what it reads."""
    kinds, needs = " and ".join(row["kinds"]), ", ".join(row["needs"])
    return f"{row['title']}\n[dim]{escape(row['source'])}\n{kinds}; reads {needs}[/]"


def _figures(measured: list[dict]) -> list[str]:
    """A line for each protocol with its figures, the mean where several seeds were measured."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for entry in measured:
        of_protocol = values.setdefault((entry["data"], entry["protocol"]), {})
        of_protocol.setdefault(entry["figure"], []).append(entry["value"])
    lines = []
    for (data, protocol), figures in values.items():
        means = ", ".join(f"{name} {sum(found) / len(found):.4f}" for name, found in figures.items())
        seeds = max(len(found) for found in figures.values())
        lines.append(f"{data}, {protocol}: {means}" + (f" (mean of {seeds})" if seeds > 1 else ""))
    return lines


def _details(row: dict) -> None:
    from rich.table import Table

    out.print()
    if not row["parameters"]:
        out.print("No hyper-parameters.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("hyper-parameter", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for entry in row["parameters"]:
        table.add_row(entry["name"], str(entry["default"]), entry["help"])
    out.print(table)
