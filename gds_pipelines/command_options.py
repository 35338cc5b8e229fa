"""Options that several commands have, each with one meaning and one help text."""

from typing import Annotated

import typer

Uri = Annotated[
    str | None,
    typer.Option(help="Another Neo4j than the embedded one.", show_default="NEO4J_URI, else embedded"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]
HeldCount = Annotated[
    int | None,
    typer.Option(
        min=1, help="Pairs of each user that leave-last holds out.", show_default="the data set's, else 1"
    ),
]
HeldShare = Annotated[
    float | None,
    typer.Option(
        help="Share of each user's pairs that random holds out.", show_default="the data set's, else 0.2"
    ),
]
