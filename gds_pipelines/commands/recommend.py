"""``gnn4j recommend``: ask the database for one user, as an application would."""

from typing import Annotated

import typer

from gds_pipelines.command_options import Json, Uri
from gds_pipelines.console import fail_in_words, out, print_json


def register(app: typer.Typer) -> None:
    app.command("recommend")(recommend_command)


def recommend_command(
    user: Annotated[str, typer.Option("--user", help="The key of the user.")],
    top_k: Annotated[int, typer.Option("--top-k", help="How many items.")] = 10,
    model: Annotated[
        str | None, typer.Option(help="An alias, or name:version.", show_default="the only alias")
    ] = None,
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Recommend for one user from the model that is deployed; computed in the database from the live graph.

    Example:  gnn4j recommend --user 42 --top-k 5
    """
    with fail_in_words(json):
        from gds_pipelines.connection import connect
        from gds_pipelines.recommendation import recommend

        with connect(uri) as connection:
            rows = recommend(connection, [user], top_k=top_k, model=model)
        if json:
            print_json(rows.to_dict("records"))
            return
        from rich.markup import escape
        from rich.table import Table

        shown = Table("rank", "key", "title", "score", "origin")
        for row in rows.itertuples():
            shown.add_row(
                str(row.rank), str(row.item), escape(str(row.title)), f"{row.score:.4f}", row.origin
            )
        out.print(shown)
