"""Options that several commands have, each with one meaning and one help text."""

from typing import Annotated

import typer

Uri = Annotated[
    str | None,
    typer.Option(help="Another Neo4j than the embedded one.", show_default="NEO4J_URI, else embedded"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]
