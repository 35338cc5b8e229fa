"""``gnn4j demo``: the main job, end to end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gds_pipelines.command_options import Json, Uri
from gds_pipelines.console import err, fail_in_words, out, print_json, steps

if TYPE_CHECKING:
    from gds_pipelines.demo import Answer, Demo
    from gds_pipelines.server.process import Status


def register(app: typer.Typer) -> None:
    app.command("demo")(demo_command)


def demo_command(
    dataset: Annotated[
        str, typer.Option(help="shop is made here; movielens-1m, movielens-small, gowalla, … are real.")
    ] = "shop",
    model: Annotated[str | None, typer.Option(help="One of `gnn4j models`.", show_default="fism")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Do every step, even if the last demo's model still answers.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same numbers on the same machine.")
    ] = 1,
    directory: Annotated[
        Path | None,
        typer.Option("--out", help="Where run and artefact are kept.", show_default="in the server's home"),
    ] = None,
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Start Neo4j, load a data set, train, measure, deploy, and recommend by Cypher, for a new user too.

    Example:  gnn4j demo
    Example:  gnn4j demo --dataset movielens-1m
    """
    with fail_in_words(json):
        import os

        from gds_pipelines import datasets, models
        from gds_pipelines.server.embedded import EmbeddedServer

        datasets.get(dataset)  # a misspelt name is no reason to install a server first
        if model is not None:
            models.recommender(model)
        embedded = EmbeddedServer()
        if uri is None and not os.environ.get("NEO4J_URI"):
            with steps(quiet=json) as report:
                embedded.start(report)
        from gds_pipelines import demo as loop
        from gds_pipelines.commands.ingest import progress
        from gds_pipelines.connection import connect
        from gds_pipelines.training import TrainingOptions

        with connect(uri) as connection, progress(quiet=json) as bars:
            done = loop.run(
                connection,
                dataset,
                directory or embedded.home.root / "runs" / f"demo-{dataset}",
                model=model,
                again=again,
                seed=seed,
                options=TrainingOptions(progress=False),
                on_step=(lambda text: None) if json else (lambda text: err.print(f"{text} …")),
                on_ingest=bars,
                on_download=lambda name, got, total: bars(f"fetching {name}", got, total or got),
            )
            where = None if connection.target.origin != "the embedded server" else embedded.status()
        if json:
            print_json(done.to_mapping())
        else:
            _show(done, where)


def _show(done: "Demo", where: "Status | None") -> None:
    from gds_pipelines.training_run import behind, table

    for note in done.notes:
        err.print(note, style="yellow", markup=False)
    if done.run is not None and done.run.figures():
        out.print(table(done.run))
        if sentence := behind(done.run):
            out.print(sentence, markup=False)
    for answer in done.answers:
        _show_answer(f"User {answer.source}", answer)
    if done.newcomer is not None:
        _show_answer(f"User {done.newcomer.source}, created a moment ago", done.newcomer)
    out.print()
    if where is not None:
        out.print(f"Neo4j Browser  {where.http}/browser/")
        out.print(f"Sign in        {where.user}, with the password in {where.passwordFile}")
        out.print(f"Guide          :play {where.http}/gnn/guide.html")
    key = done.answers[0].source if done.answers else 1
    task = done.task
    shown = repr(key) if isinstance(key, str) else key
    out.print("Ask            ", end="")
    out.print(
        f"MATCH (u:{task.to} {{{task.key[task.to]}: {shown}}}) CALL gnn.recommend.stream(u, {{topK: 10}}) "
        "YIELD node, score, rank RETURN node, score, rank",
        markup=False,
    )
    out.print(
        "Try next       gnn4j recommend --user KEY · gnn4j train --help · gnn4j server stop", markup=False
    )


def _show_answer(who: str, answer: "Answer") -> None:
    from rich.markup import escape
    from rich.table import Table

    shown = Table(
        title=f"{who}: recommended in {answer.millis:.0f} ms", title_justify="left", title_style="bold"
    )
    shown.add_column("rank", justify="right")
    shown.add_column("title")
    shown.add_column("score", justify="right")
    shown.add_column("origin")
    for rank, title, score, origin in answer.rows:
        shown.add_row(str(rank), escape(title), f"{score:.4f}", origin)
    out.print()
    out.print(f"{who} did: {escape(', '.join(answer.because))}")
    out.print(shown)
