"""Whether the keys of a label are integers or text, decided over all files before a row is taken."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gds_pipelines.ingest import columns as cells
from gds_pipelines.ingest.mapping import IngestMapping, Table
from gds_pipelines.ingest.readers import Columns

# Fewer odd keys than this share look like slips of the pen, and are worth a sentence.
FEW = 0.1


@dataclass
class _Seen:
    """The keys of one label so far. `odd`: how many of the `present` ones are no integers; one is shown."""

    present: int = 0
    odd: int = 0
    example: str = ""

    def note(self, label: str) -> str | None:
        """A sentence where a few odd keys made text of all."""
        if not 0 < self.odd < FEW * self.present:
            return None
        verb = "is" if self.odd == 1 else "are"
        return (
            f"The keys of :{label} are stored as text: {self.odd:,} of {self.present:,} {verb} no integer, "
            f"{self.example}. To store integers and leave such rows out, give {label} `type: integer` in a "
            "mapping."
        )


def key_columns(table: Table) -> Iterator[tuple[str, str, str | None]]:
    """(label, column, separator) of every place of a table where a key stands."""
    for part in table.nodes:
        yield part.label, part.key, None
    for part in table.relationships:
        yield part.source.label, part.source.column, part.source.separator
        yield part.target.label, part.target.column, part.target.separator


def key_types(read: list[tuple[str, Columns]], mapping: IngestMapping) -> tuple[dict[str, str], list[str]]:
    """Label -> 'integer' or 'string': as declared, else integer if all its keys in all files are.

    Returns:
        The types, and notes about labels whose keys are text because of a few values only.
    """
    types = {label: spec.type for label, spec in mapping.nodes.items() if spec.type != "auto"}
    seen = {label: _Seen() for label in mapping.nodes if label not in types}
    for name, columns in read:
        table = mapping.tables[name]
        for label, column, separator in key_columns(table):
            if label in seen:
                _look(seen[label], columns, column, separator, table)
    types |= {label: "string" if one.odd else "integer" for label, one in seen.items()}
    return types, [note for label, one in seen.items() if (note := one.note(label))]


def _look(seen: _Seen, columns: Columns, column: str, separator: str | None, table: Table) -> None:
    values, lines = columns.columns[column], columns.lines
    if separator is not None:
        rows = cells.lists(values, "string", separator, table.missing).values
        lines = np.repeat(lines, np.diff(np.asarray(rows.offsets)))
        values = rows.flatten()
    odd, present = cells.unlike_integers(values, table.missing)
    seen.present += int(present.sum())
    if odd.any() and not seen.odd:
        at = int(np.argmax(odd))
        seen.example = f"such as '{values[at].as_py()}' in {column}, {columns.name} line {lines[at]}"
    seen.odd += int(odd.sum())
