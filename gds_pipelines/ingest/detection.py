"""Which mapping fits files that come without one: by their names and their first lines."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest import readers
from gds_pipelines.ingest.mapping import IngestMapping, parse, shipped

RECBOLE_ENDINGS = ("inter", "item", "user", "kg", "link", "net")
# Files that must be there for a layout, in the order in which layouts are tried.
_BY_NAMES = (
    ("movielens-dat", ("movies.dat", "ratings.dat")),
    ("movielens-csv", ("movies.csv", "ratings.csv")),
    ("hetrec-lastfm", ("user_artists.dat",)),
)
_BY_HEADER = (
    ("deskdrop", {"timestamp", "eventType", "personId", "contentId", "sessionId"}),
    ("taobao", {"userId", "itemId", "categoryId", "behavior", "timestamp"}),
)


def detect(files: Iterable[Path]) -> tuple[IngestMapping, str]:
    """The mapping for `files` and the name of what was seen.

    Raises:
        InvalidInput: nothing known; with what was looked at and how to write a mapping.
    """
    plain = {file.name.removesuffix(".gz"): file for file in files}
    for name, needed in _BY_NAMES:
        if all(one in plain for one in needed):
            return shipped(name), name
    atomic = [name for name in plain if name.rpartition(".")[2] in RECBOLE_ENDINGS and "." in name]
    if atomic:
        return recbole({name: plain[name] for name in atomic}), "recbole"
    for name, columns in _BY_HEADER:
        patterns = [pattern for table in shipped(name).tables.values() for pattern in table.file]
        for candidate, file in plain.items():
            if (
                any(fnmatchcase(candidate, pattern) for pattern in patterns)
                and set(_first_cells(file)) >= columns
            ):
                return shipped(name), name
    texts = [name for name in plain if name.endswith(".txt") and "readme" not in name.lower()]
    if "train.txt" in texts and _widths(plain["train.txt"]) != {2}:
        return shipped("lightgcn"), "lightgcn"
    if len(texts) == 1 and _widths(plain[texts[0]]) == {2}:
        return shipped("sasrec"), "sasrec"
    seen = ", ".join(list(plain)[:8]) + (" …" if len(plain) > 8 else "") or "no file"
    raise InvalidInput(
        "It is not clear what these files mean",
        [
            f"found {seen}; known without a mapping are MovieLens, RecBole, "
            "HetRec Last.FM, LightGCN and SASRec files, "
            f"Deskdrop and Taobao events. Write a mapping and give it with --mapping, for example:\n{EXAMPLE}"
        ],
    )


EXAMPLE = """\
nodes:
  User: {key: id}
  Item: {key: id}
tables:
  events:
    file: events.csv            # columns user, item, kind, time
    relationships:
      - type: {column: kind, values: {view: VIEW, buy: BUY}}
        from: {label: User, column: user}
        to: {label: Item, column: item}
        time: {column: time, unit: s}
"""


def recbole(files: dict[str, Path]) -> IngestMapping:
    """A mapping for RecBole atomic files, from the columns they declare.

    Interactions become (:User)-[:INTERACTED]->(:Item), links (:Item)-[:IS_ENTITY]->(:Entity), a knowledge
    graph (:Entity)-[:<RELATION>]->(:Entity), a network (:User)-[:FOLLOWS]->(:User). Sequences become lists;
    the time column is the one named timestamp.
    """
    tables: dict[str, Any] = {}
    labels: set[str] = set()
    faults: list[str] = []
    for name, file in files.items():
        kind = name.rpartition(".")[2]
        lines = readers.decoded(file, "utf-8", [])
        types = {
            cell.rpartition(":")[0]: cell.rpartition(":")[2]
            for cell in (lines[0].split("\t") if lines else [])
        }
        names = list(types)
        wanted = {"inter": 2, "link": 2, "net": 2, "kg": 3}.get(kind, 1)
        if len(names) < wanted:
            faults.append(f"{name}: a .{kind} file has {wanted} columns at least, found {len(names)}")
            continue
        table: dict[str, Any] = {"file": name, "format": "recbole"}
        rest = {
            column: _property(column, types[column]) for column in names[wanted:] if column != "timestamp"
        }
        properties = {_camel(column): spec for column, spec in rest.items()}
        match kind:
            case "user" | "item":
                label = kind.capitalize()
                labels.add(label)
                table["nodes"] = [{"label": label, "key": names[0], "properties": properties}]
            case _:
                source, target, relation = {
                    "inter": ("User", "Item", "INTERACTED"),
                    "net": ("User", "User", "FOLLOWS"),
                    "link": ("Item", "Entity", "IS_ENTITY"),
                    "kg": ("Entity", "Entity", {"column": names[1], "asIs": True}),
                }[kind]
                labels |= {source, target}
                part: dict[str, Any] = {
                    "type": relation,
                    "from": {"label": source, "column": names[0]},
                    "to": {"label": target, "column": names[wanted - 1]},
                    "properties": properties,
                }
                if "timestamp" in types:
                    part["time"] = {"column": "timestamp", "unit": "auto"}
                table["relationships"] = [part]
        tables[name] = table
    if faults:
        raise InvalidInput("The RecBole files cannot be used", faults)
    order = [label for label in ("User", "Item", "Entity") if label in labels]
    return parse(
        {"nodes": {label: {"key": "id"} for label in order}, "tables": tables}, "mapping of the RecBole files"
    )


def _property(column: str, kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"column": column, "type": "float" if kind.startswith("float") else "string"}
    return spec | ({"separator": " "} if kind.endswith("_seq") else {})


def _camel(column: str) -> str:
    """`movie_title` -> `movieTitle`; other characters than letters and digits part words."""
    words = "".join(one if one.isalnum() and one.isascii() else " " for one in column).split()
    if not words:
        return "value"
    name = words[0][0].lower() + words[0][1:] + "".join(word[0].upper() + word[1:] for word in words[1:])
    return name if not name[0].isdigit() else f"_{name}"


def _first_cells(file: Path) -> list[str]:
    lines = readers.decoded(file, "utf-8", [])
    return [cell.strip() for cell in lines[0].split(",")] if lines else []


def _widths(file: Path) -> set[int]:
    """How many cells the first thousand lines have; {0} or nothing for what is not numbers."""
    lines = readers.decoded(file, "utf-8", [])[:1000]
    return {len(line.split()) if line.replace(" ", "").isdigit() else 0 for line in lines if line.strip()}
