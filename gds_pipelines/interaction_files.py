"""Interaction lists from files, without a database: the LightGCN list format and plain tables.

LightGCN list: one line a user, ``user item item …``, blanks or tabs between. Table (``.csv``, ``.tsv``,
``.parquet``): columns ``user, item`` and, where there are, ``weight, time`` (epoch ms UTC, or dates).
A ``.gz`` of a text file is read as well.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions


@dataclass(frozen=True)
class EventList:
    """Events of one file: [N] keys, and weights and times where the file has them."""

    users: NDArray
    items: NDArray
    weights: NDArray[np.float32] | None = None
    times: NDArray[np.int64] | None = None


def read_parts(
    train: Path, test: Path, *, read: Callable[[Path], EventList] | None = None
) -> tuple[Interactions, Interactions]:
    """Two files as two parts over the same users and items (all that stand in either, by ascending key).

    Args:
        read: reads one file; ``read_events`` by default.
    Raises:
        InvalidInput: a missing or broken file, with the line where a list breaks; both files are checked.
    """
    found, faults = [], []
    for path in (train, test):
        try:
            found.append((read or read_events)(path))
        except InvalidInput as error:
            faults += [f"'{path.name}': {fault}" for fault in error.faults]
    if faults:
        raise InvalidInput("Interaction files", faults)
    kinds = {events.users.dtype.kind for events in found} | {events.items.dtype.kind for events in found}
    if len(kinds) > 1:  # numbers in one file, text in the other: compare as text
        found = [
            EventList(one.users.astype(str), one.items.astype(str), one.weights, one.times) for one in found
        ]
    users = np.unique(np.concatenate([one.users for one in found]))
    items = np.unique(np.concatenate([one.items for one in found]))
    parts = [
        Interactions.from_events(
            one.users,
            one.items,
            1.0 if one.weights is None else one.weights,
            one.times,
            user_keys=users,
            item_keys=items,
        )
        for one in found
    ]
    return parts[0], parts[1]


def whole_of(one: EventList, *, first: bool = False) -> Interactions:
    """The events of one file as one matrix; ``first`` keeps a pair's earliest time in place of its latest."""
    times = None if one.times is None else one.times * (-1 if first else 1)
    made = Interactions.from_events(one.users, one.items, 1.0 if one.weights is None else one.weights, times)
    return replace(made, times=-made.times) if first and made.times is not None else made


def read_events(path: Path) -> EventList:
    """The events of one file; the ending decides between table and list."""
    if not path.is_file():
        raise InvalidInput(f"File '{path}'", ["there is no such file; check the path"])
    endings = [ending for ending in path.suffixes if ending != ".gz"]
    ending = endings[-1] if endings else ""
    try:
        if ending == ".parquet":
            return _from_table(path, pyarrow.parquet.read_table(path))
        if ending in (".csv", ".tsv"):
            options = pyarrow.csv.ParseOptions(delimiter="," if ending == ".csv" else "\t")
            return _from_table(path, pyarrow.csv.read_csv(path, parse_options=options))
        return _from_lists(path)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"File '{path}'", [f"cannot be read: {error}"]) from error


def _from_lists(path: Path) -> EventList:
    opened = gzip.open if path.suffix == ".gz" else open
    users, items, faults = [], [], []
    with opened(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            parts = line.split()
            if not parts:
                continue
            try:
                row = np.array(parts, dtype=np.int64)
            except ValueError:
                faults.append(f"line {number} holds something that is no whole number: '{line.strip()[:40]}'")
                continue
            items.append(row[1:])
            users.append(np.full(len(row) - 1, row[0]))
    if faults:
        more = [f"and {len(faults) - 5} more such lines"] if len(faults) > 5 else []
        raise InvalidInput(f"File '{path}'", faults[:5] + more)
    if not sum(map(len, items)):
        raise InvalidInput(f"File '{path}'", ["it holds no interaction; expected lines 'user item item …'"])
    return EventList(np.concatenate(users), np.concatenate(items))


def _from_table(path: Path, table: pa.Table) -> EventList:
    missing = [name for name in ("user", "item") if name not in table.column_names]
    if missing:
        raise InvalidInput(
            f"File '{path}'",
            [f"column '{name}' is missing; found {', '.join(table.column_names)}" for name in missing],
        )
    empty = [name for name in ("user", "item", "weight", "time") if name in table.column_names]
    faults = [
        f"column '{name}' has {table[name].null_count} missing values"
        for name in empty
        if table[name].null_count
    ]
    if not table.num_rows:
        faults.append("it holds no interaction")
    if faults:
        raise InvalidInput(f"File '{path}'", faults)

    def column(name: str) -> NDArray | None:
        if name not in table.column_names:
            return None
        values = table[name].combine_chunks().to_numpy(zero_copy_only=False)
        return values.astype(str) if values.dtype.kind == "O" else values

    weights, times = column("weight"), column("time")
    if weights is not None and weights.dtype.kind not in "iuf":
        faults.append(f"column 'weight' holds {table['weight'].type} values, expected numbers above 0")
    if times is not None and times.dtype.kind == "M":
        times = times.astype("datetime64[ms]").astype(np.int64)
    if times is not None and times.dtype.kind not in "iu":
        faults.append(
            f"column 'time' holds {table['time'].type} values, expected dates, or epoch milliseconds UTC"
        )
    if faults:
        raise InvalidInput(f"File '{path}'", faults)
    return EventList(
        column("user"), column("item"), None if weights is None else weights.astype(np.float32), times
    )
