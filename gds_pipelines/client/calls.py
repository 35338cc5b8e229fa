"""One statement through the official client, its errors in words, its names in both spellings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from graphdatascience import Graph, GraphDataScience
from neo4j.exceptions import DriverError, Neo4jError
from pandas import DataFrame

from gds_pipelines.connection import in_words
from gds_pipelines.errors import PipelineError
from gds_pipelines.naming import to_camel

Mode = Literal["READ", "WRITE"]


class Calls:
    """Runs statements on the connection of a ``GraphDataScience``."""

    def __init__(self, gds: GraphDataScience) -> None:
        self._gds = gds

    def rows(self, statement: str, mode: Mode = "READ", once: bool = False, **parameters: Any) -> DataFrame:
        """All rows.

        Args:
            once: never tried again, for what must not happen twice.
        Raises:
            PipelineError: what the database said.
        """
        try:
            return self._gds.run_cypher(statement, parameters, mode=mode, auto_commit=once)
        except (DriverError, Neo4jError) as error:
            raise PipelineError(in_words(error)) from error

    def row(
        self, statement: str, mode: Mode = "READ", once: bool = False, **parameters: Any
    ) -> dict[str, Any] | None:
        """The first row, None where there is none; a missing value is None."""
        found = self.rows(statement, mode, once, **parameters)
        if found.empty:
            return None
        # Not to_dict of the frame: pandas makes NaN of null, and a float of an INTEGER beside it.
        return {str(name): _plain(found[name].iloc[0]) for name in found.columns}


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """The map for Cypher: keys in camelCase, None left out, a tuple of two as ``{range: [a, b]}``.

    What stands inside of values (labels, properties, settings by name) stays as it is written.
    """
    return {
        to_camel(key): {"range": list(value)} if isinstance(value, tuple) else value
        for key, value in given.items()
        if value is not None
    }


def graph_name(graph: Graph | str | None) -> str | None:
    """What a procedure takes for a graph object of the official client."""
    return graph.name() if isinstance(graph, Graph) else graph
