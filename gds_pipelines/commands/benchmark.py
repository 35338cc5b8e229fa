"""``gnn4j benchmark``: models measured by one protocol, without a database."""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gds_pipelines.command_options import Json
from gds_pipelines.console import err, fail_in_words, out, print_json

if TYPE_CHECKING:
    from gds_pipelines.benchmarking import Measured
    from gds_pipelines.interactions import Interactions
    from gds_pipelines.protocols import Parts, Protocol

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
    mapping: Annotated[
        Path | None,
        typer.Option(help="What the columns of --train and --test mean, as `gnn4j ingest --mapping` has it."),
    ] = None,
    same_nodes: Annotated[
        bool,
        typer.Option("--same-nodes", help="Users and items are one set: the audit looks for reversed pairs."),
    ] = False,
    dataset: Annotated[str | None, typer.Option(help="A known data set with its own split.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, or model.key=value for one of several models."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="One of `gnn4j benchmark protocols`, or a .toml file of the same shape.")
    ] = "all-ranking",
    candidates: Annotated[
        Path | None,
        typer.Option(help="Lines 'user positive negative …', for protocols that rank listed items."),
    ] = None,
    k: Annotated[
        str | None,
        typer.Option(help="List lengths, with commas between.", show_default="the protocol's"),
    ] = None,
    choose: Annotated[
        bool,
        typer.Option(help="Choose settings that are not given on a part of train; else take the defaults."),
    ] = True,
    trials: Annotated[int, typer.Option(min=1, help="Settings tried a model, at most.")] = 12,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Choosing may take so long a model, a quarter a baseline.")
    ] = 2.5,
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
    plots: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures: figures with intervals, accuracy against time, learning."),
    ] = None,
    plot_format: Annotated[str, typer.Option(help="svg or png.")] = "svg",
    json: Json = False,
) -> None:
    """Choose each model's settings on a part of train, fit it, measure it by a protocol beside the baselines.

    Needs no database. The test part is read once, at the end; it chooses nothing.

    Example:  gnn4j benchmark accuracy lightgcn --train train.txt --test test.txt --json
    Example:  gnn4j benchmark accuracy fism,auto --dataset lastfm --protocol recbole-8-1-1
    Example:  gnn4j benchmark accuracy auto --train clicks.csv --mapping clicks.yml --protocol time-global
    """
    with fail_in_words(json):
        from gds_pipelines import benchmarking, models, protocols
        from gds_pipelines.errors import InvalidInput
        from gds_pipelines.training import TrainingOptions

        names = [name.strip() for name in model.split(",") if name.strip()]
        chosen = protocols.get(protocol)
        lengths = None if k is None else _lengths(k)
        if not names or len(set(names)) < len(names):
            raise InvalidInput("Models", [f"'{model}' names none, or one twice"])
        for name in names:
            models.recommender(name)
        faults = _data_faults(chosen, dataset, train, test, candidates, mapping)
        if lengths is not None and chosen.kind != "ranking":
            faults.append(f"--k has no meaning for {chosen.kind}, which make no lists")
        if recommendations is not None and chosen.kind != "ranking":
            faults.append(f"--recommendations has no meaning for {chosen.kind}, which make no lists")
        if recommendations is not None and not recommendations.parent.is_dir():
            faults.append(f"--recommendations: there is no directory '{recommendations.parent}'")
        if recommendations is not None and recommendations.is_dir():
            faults.append(f"--recommendations: '{recommendations}' is a directory; name a file in it")
        if plot_format not in ("svg", "png"):
            faults.append(f"--plot-format is '{plot_format}', expected svg or png")
        if faults:
            raise InvalidInput("Request", faults)
        if dataset is not None:
            from gds_pipelines import datasets
            from gds_pipelines.dataset_interactions import parts_of

            parts = parts_of(datasets.get(dataset), chosen, seed=seed)
            data = {"dataset": dataset, "split": parts.description}
        else:
            parts, data = _file_parts(chosen, train, test, candidates, seed, mapping, same_nodes)
        options = TrainingOptions(
            threads=threads, accelerator=accelerator, progress=not json and err.is_terminal
        )
        result, measured = benchmarking.compare(
            names,
            chosen,
            parts,
            settings=_settings(set_ or [], names),
            baselines=None if baselines else (),
            k=lengths,
            seed=seed,
            options=options,
            choice=benchmarking.Choice(trials, minutes * 60) if choose else None,
            despite_leak=despite_leak,
            on_model=lambda name: err.print(f"{name} …"),
        )
        if recommendations is not None:
            _write_lists(recommendations, parts.train, measured[names[0]])
        if plots is not None:
            from gds_pipelines.plots import draw

            named = [f"{metric}@{max(lengths or chosen.k)}" if chosen.k else metric for metric in chosen.main]
            draw(
                result["models"], named, f"{data.get('dataset', 'files')}: {chosen.title}", plots, plot_format
            )
        result = benchmarking.finite({"source": data, "command": _command()} | result)
        if json:
            print_json(result)
            return
        _show(result, chosen, lengths or list(chosen.k))


@app.command("protocols")
def protocols_command(
    json: Annotated[bool, typer.Option("--json", help="One object a protocol, for machines.")] = False,
) -> None:
    """List the protocols: what is split how, ranked among what, and measured by what.

    Example:  gnn4j benchmark protocols --json
    """
    with fail_in_words(json):
        from rich.table import Table

        from gds_pipelines import protocols

        known = [protocols.get(name) for name in protocols.names()]
        if json:
            print_json([one.to_mapping() for one in known])
            return
        table = Table(box=None, pad_edge=False)
        for column in ("protocol", "what it is", "measures"):
            table.add_column(column, overflow="fold")
        for one in known:
            cut = f" at {', '.join(map(str, one.k))}" if one.k else ""
            table.add_row(f"[bold]{one.name}[/]", one.title, f"{', '.join(one.metrics)}{cut}")
        out.print(table)


def _data_faults(
    protocol: "Protocol",
    dataset: str | None,
    train: Path | None,
    test: Path | None,
    listed: Path | None,
    mapping: Path | None,
) -> list[str]:
    """What is wrong with where the data comes from; empty when nothing is."""
    method = protocol.split["method"]
    if dataset is not None:
        return ["give --dataset, or files, not both"] if train or test or listed or mapping else []
    faults = []
    if train is None or (method == "own" and test is None):
        faults.append("give --train F and --test F together, or --dataset NAME")
    elif method == "listed" and (listed is None or test is not None):
        faults.append(
            "this protocol holds out what is listed: give --train F (everything) and --candidates F"
        )
    if listed is not None and method != "listed":
        faults.append(f"--candidates has no meaning for the protocol '{protocol.name}'")
    return faults


def _file_parts(
    protocol: "Protocol",
    train: Path,
    test: Path | None,
    listed: Path | None,
    seed: int,
    mapping: Path | None,
    same_nodes: bool,
) -> tuple["Parts", dict[str, Any]]:
    """Parts from files: both given, or one that the protocol splits."""
    from functools import partial

    from gds_pipelines import ingest
    from gds_pipelines.dataset_interactions import mapped_events, read_listed
    from gds_pipelines.errors import InvalidInput
    from gds_pipelines.interaction_files import read_events, read_parts, whole_of

    read, data = read_events, {}
    if mapping is not None:
        ratings = protocol.interactions.get("weight") == "value"
        read = partial(mapped_events, mapping=ingest.read_mapping(mapping), ratings=ratings)
        data["mapping"] = _file(mapping)
    if test is not None:
        whole, held = read_parts(train, test, read=read)
        data |= {"train": _file(train), "test": _file(test)}
        return protocol.cut(whole, seed=seed, test=held, same_nodes=same_nodes), data
    lacks = []
    events = read(train)
    if events.weights is None and protocol.interactions.get("weight") == "value":
        lacks.append("it has no column 'weight' with the ratings, which this protocol measures")
    if events.times is None and protocol.split["method"] in ("by_time_share", "by_user_time", "leave_last"):
        lacks.append("it has no column 'time', by which this protocol splits")
    if lacks:
        raise InvalidInput(f"File '{train.name}' for the protocol '{protocol.name}'", lacks)
    whole = whole_of(events, first=protocol.interactions.get("time") == "first")
    data["train"] = _file(train)
    lists = None if listed is None else read_listed(listed, whole)
    if listed is not None:
        data["candidates"] = _file(listed)
    return protocol.cut(whole, seed=seed, listed=lists, same_nodes=same_nodes), data


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
    from gds_pipelines import models
    from gds_pipelines.errors import InvalidInput, UnknownName
    from gds_pipelines.models.parameters import parse_settings

    found: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    for key, value in parse_settings(given, faults).items():
        name, dot, rest = key.partition(".")
        if not dot and len(names) > 1:
            faults.append(f"'{key}' could belong to any of {', '.join(names)}; write MODEL.{key}")
            continue
        if not dot:
            name, rest = names[0], key
        elif name not in names:
            faults.append(str(UnknownName("model in --set", name, names)))
            continue
        found.setdefault(name, {})[rest] = value
    for name, settings in found.items():
        try:
            models.recommender(name)(settings)
        except InvalidInput as error:
            faults += [f"{name}: {fault}" if len(names) > 1 else fault for fault in error.faults]
    if faults:
        raise InvalidInput("Settings", faults)
    return found


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

    from gds_pipelines.errors import PipelineError

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
    try:
        pyarrow.parquet.write_table(table, path)
    except OSError as error:
        raise PipelineError(f"The lists could not be written to '{path}': {error}.") from error


def _show(result: dict[str, Any], protocol: "Protocol", lengths: list[int]) -> None:
    from rich.table import Table

    heads = {"ndcg": "nDCG", "hit_rate": "hits", "coverage": "cover", "precision": "prec"}
    shown = list(protocol.metrics)
    cut = f"@{lengths[-1]}" if lengths else ""
    if protocol.kind == "ranking":
        shown = [*shown[:5], "coverage"]
    title = f"{protocol.title}{f'; k = {lengths[-1]}' if lengths else ''}"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    for column in (*(heads.get(metric, metric) for metric in shown), "fit s", "rank s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result["models"]:
        figures = [row["figures"][f"{metric}{cut}"] for metric in shown]
        texts = ["–" if value is None else f"{value:.4f}" for value in figures]
        table.add_row(row["model"], *texts, f"{row['seconds']['fit']:.1f}", f"{row['seconds']['rank']:.1f}")
    out.print(table)
    for row in result["models"]:
        if row.get("chosen") and not row["chosen"]["trials"]:
            out.print(f"{row['model']}: settings as they come; {row['chosen']['by']}")
        elif row.get("chosen"):
            found = ", ".join(
                f"{name} {_short(value)}" for name, value in row["chosen"]["parameters"].items()
            )
            out.print(
                f"{row['model']}: {found} (best of {row['chosen']['trials']} trials on a part of train)"
            )
    for row in result["comparisons"]:
        low, high = row["interval95"]
        out.print(
            f"{row['model']} against {row['baseline']}, {row['metric']}: {row['difference']:+.4f} "
            f"\\[{low:+.4f}, {high:+.4f}], p = {row['p']:.4f}"
        )
    unknown = result["data"]["testUsersUnknownToTrain"]
    if unknown:
        out.print(
            f"{unknown:,} of {result['data']['testUsers']:,} test users are unknown to train; where a model "
            "knows nothing of them they get the popular items."
        )
    if not result["leak"]["clean"]:
        counts = {
            "sharedPairs": "test pairs also stand in train",
            "reversedPairs": "test pairs stand in train the other way round",
            "latePairs": "train pairs happened at or after the first test pair",
        }
        found = [f"{result['leak'][key]} {words}" for key, words in counts.items() if result["leak"][key]]
        out.print(f"[bold red]Leak:[/] {'; '.join(found)}.")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
