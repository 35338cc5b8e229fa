"""``gnn4j models``: what can be trained."""

from typing import Annotated

import typer

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
            table.add_row(f"[bold]{row['name']}[/]{mark}", row["title"], contract, figures)
        out.print(table)
        if name:
            _details(rows[0])


def _figures(measured: list[dict]) -> list[str]:
    """A line for each figure of each protocol, the mean where several seeds were measured."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for entry in measured:
        values.setdefault((entry["data"], entry["protocol"], entry["figure"]), []).append(entry["value"])
    return [
        f"{data}, {protocol}: {figure} {sum(found) / len(found):.4f}"
        + (f" (mean of {len(found)})" if len(found) > 1 else "")
        for (data, protocol, figure), found in values.items()
    ]


def _details(row: dict) -> None:
    from rich.table import Table

    out.print(f"\nSource: {row['source']}\nNeeds: {', '.join(row['needs'])}\n")
    if not row["parameters"]:
        out.print("No hyper-parameters.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("hyper-parameter", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for entry in row["parameters"]:
        table.add_row(entry["name"], str(entry["default"]), entry["help"])
    out.print(table)
