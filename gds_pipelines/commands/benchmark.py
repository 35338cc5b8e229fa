"""``gnn4j benchmark``: models measured by one protocol, without a database."""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gds_pipelines.console import err, fail_in_words, out, print_json

if TYPE_CHECKING:
    from gds_pipelines.benchmarking import Measured
    from gds_pipelines.interactions import Interactions

app = typer.Typer(no_args_is_help=True, help="Measure models: accuracy by full ranking, on any files.")


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="benchmark")


@app.command("accuracy")
def accuracy_command(
    model: Annotated[str, typer.Argument(help="One model or several, with commas between: fism,lightgcn")],
    train: Annotated[
        Path | None, typer.Option(help="LightGCN list, or CSV / Parquet with user, item[, weight, time].")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="The held-out part, in the same format.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A known data set with its own split.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, or model.key=value for one of several models."),
    ] = None,
    k: Annotated[str, typer.Option(help="List lengths, with commas between.")] = "20",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all by default.")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    baselines: Annotated[bool, typer.Option(help="Measure the baselines beside.")] = True,
    despite_leak: Annotated[
        bool,
        typer.Option(
            "--despite-leak", help="Measure although test pairs stand in train; the result says so."
        ),
    ] = False,
    recommendations: Annotated[
        Path | None,
        typer.Option(help="Parquet for the lists of the first model: user, item, rank, score."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Train each model on the train part and rank all items for every test user, training items left out.

    Needs no database. Test pairs are read once, at the end.

    Example:  gnn4j benchmark accuracy lightgcn --train train.txt --test test.txt --json
    """
    with fail_in_words(json):
        from gds_pipelines import benchmarking, models
        from gds_pipelines.errors import InvalidInput
        from gds_pipelines.training import TrainingOptions

        names = [name.strip() for name in model.split(",") if name.strip()]
        lengths = _lengths(k)
        if not names or len(set(names)) < len(names):
            raise InvalidInput("Models", [f"'{model}' names none, or one twice"])
        for name in names:
            models.recommender(name)
        if (dataset is None) == (train is None and test is None) or (train is None) != (test is None):
            raise InvalidInput("Data", ["give --train F and --test F together, or --dataset NAME"])
        if recommendations is not None and not recommendations.parent.is_dir():
            raise InvalidInput("--recommendations", [f"there is no directory '{recommendations.parent}'"])
        if dataset is not None:
            parts, data = _dataset_parts(dataset, seed)
        else:
            from gds_pipelines.interaction_files import read_parts

            parts, data = read_parts(train, test), {"train": _file(train), "test": _file(test)}
        options = TrainingOptions(
            threads=threads, accelerator=accelerator, progress=not json and err.is_terminal
        )
        result, measured = benchmarking.compare(
            names,
            *parts,
            settings=_settings(set_ or [], names),
            baselines=models.BASELINES if baselines else (),
            k=lengths,
            seed=seed,
            options=options,
            despite_leak=despite_leak,
            on_model=lambda name: err.print(f"{name} …"),
        )
        if recommendations is not None:
            _write_lists(recommendations, parts[0], measured[names[0]])
        result = benchmarking.finite({"source": data, "command": _command()} | result)
        if json:
            print_json(result)
            return
        _show(result, lengths)


def _lengths(text: str) -> list[int]:
    from gds_pipelines.errors import InvalidInput

    try:
        lengths = sorted({int(part) for part in text.split(",")})
    except ValueError:
        lengths = []
    if not lengths or lengths[0] < 1:
        raise InvalidInput("--k", [f"'{text}' is not a list of whole numbers of at least 1, such as 10,20"])
    return lengths


def _settings(given: list[str], names: list[str]) -> dict[str, dict[str, str]]:
    """Hyper-parameters by model; a key without a model's name needs a single model."""
    from gds_pipelines.errors import InvalidInput, UnknownName
    from gds_pipelines.models.parameters import parse_settings

    found: dict[str, dict[str, str]] = {}
    for key, value in parse_settings(given).items():
        name, dot, rest = key.partition(".")
        if not dot:
            if len(names) > 1:
                raise InvalidInput(
                    "--set", [f"'{key}' could belong to any of {', '.join(names)}; write MODEL.{key}"]
                )
            name, rest = names[0], key
        elif name not in names:
            raise UnknownName("model in --set", name, names)
        found.setdefault(name, {})[rest] = value
    return found


def _dataset_parts(name: str, seed: int) -> tuple[tuple["Interactions", "Interactions"], dict[str, Any]]:
    from gds_pipelines import datasets
    from gds_pipelines.dataset_interactions import interactions_of, split_of

    dataset = datasets.get(name)
    parts = split_of(dataset, interactions_of(dataset), seed=seed)
    return (parts.refit(), parts.test), {"dataset": name, "split": parts.description}


def _file(path: Path) -> dict[str, str]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return {"file": path.name, "sha256": digest.hexdigest()}


def _command() -> str:
    """The command as it was typed, with the last part of each path: results are made to be shared."""
    words = [
        Path(word).name if "/" in word and not word.startswith("--set") else word for word in sys.argv[1:]
    ]
    return " ".join(["gnn4j", *words])


def _write_lists(path: Path, train: "Interactions", one: "Measured") -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    found = one.evaluation
    there = found.items >= 0
    rank = np.broadcast_to(np.arange(1, found.items.shape[1] + 1, dtype=np.int32), found.items.shape)
    users = np.broadcast_to(found.users[:, None], found.items.shape)
    table = pa.table(
        {
            "user": train.user_keys[users[there]],
            "item": train.item_keys[found.items[there]],
            "rank": rank[there],
            "score": found.scores[there],
        }
    )
    pyarrow.parquet.write_table(table, path)


def _show(result: dict[str, Any], lengths: list[int]) -> None:
    from rich.table import Table

    data = result["data"]
    out.print(
        f"{data['users']:,} users, {data['items']:,} items, {data['train']:,} train and {data['test']:,} "
        f"test pairs; "
        "all items ranked, training items left out"
    )
    cut = max(lengths)
    # Short heads, so that the table fits into a terminal of 80 columns.
    heads = {
        "recall": "recall",
        "ndcg": "ndcg",
        "hit_rate": "hits",
        "mrr": "mrr",
        "map": "map",
        "coverage": "cover",
    }
    columns = [f"{metric}@{cut}" for metric in heads]
    table = Table(box=None, pad_edge=False, title=f"k = {cut}", title_justify="left")
    table.add_column("model", no_wrap=True)
    for column in (*heads.values(), "fit s", "rank s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result["models"]:
        figures = [row["figures"][column] for column in columns]
        shown = ["–" if value is None else f"{value:.4f}" for value in figures]
        table.add_row(row["model"], *shown, f"{row['seconds']['fit']:.1f}", f"{row['seconds']['rank']:.1f}")
    out.print(table)
    for row in result["comparisons"]:
        low, high = row["interval95"]
        out.print(
            f"{row['model']} against {row['baseline']}, {row['metric']}: {row['difference']:+.4f} "
            f"\\[{low:+.4f}, {high:+.4f}], p = {row['p']:.4f}"
        )
    if result["leak"]["despiteLeak"] and not result["leak"]["clean"]:
        out.print(f"[bold red]Leak:[/] {result['leak']['sharedPairs']} test pairs also stand in train.")
