"""What the columns of a set of tables mean: a mapping, read from YAML or TOML.

A mapping names the node labels with their keys, and for every table where its file is, how it is written,
which nodes a row describes and which relationships it makes. `docs/` and the shipped files in `mappings/`
show examples. Every name that will enter Cypher text is checked here against ``[A-Za-z_][A-Za-z0-9_]*``.
"""

import codecs
import re
import tomllib
from collections.abc import Iterator
from collections.abc import Mapping as Map
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gds_pipelines.errors import InvalidInput, UnknownName, did_you_mean

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
TimeUnit = Literal["s", "ms", "us", "ns", "iso", "auto"]
ValueType = Literal["string", "integer", "float", "boolean"]


def _identifier(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"'{name}' is not a name of letters, digits and _ (at most 64, no digit first)")
    return name


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(
            f"'{name}' is not a text encoding Python knows, such as utf-8 or iso-8859-1"
        ) from None


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"'{text}' has {groups} groups; exactly one is what is taken")
    return text


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _text_keys(value: Any) -> Any:
    # YAML reads `1: VIEW` as a number and `no: VIEW` as a truth value; the cells they are compared with are
    # text.
    if not isinstance(value, dict):
        return value
    return {str(key).lower() if isinstance(key, bool) else str(key): kind for key, kind in value.items()}


def _column_only(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Identifier = Annotated[str, AfterValidator(_identifier)]
Texts = Annotated[list[str], BeforeValidator(_texts)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Part):
    """A node label: its key property, the type of the key, and what else to index."""

    key: Identifier
    type: Literal["integer", "string", "auto"] = "auto"
    index: list[Identifier] = []


class Property(_Part):
    """A property from a column; `separator` makes it a list, `pattern` keeps the group it matches."""

    column: str
    type: ValueType = "string"
    separator: str | None = Field(default=None, min_length=1)
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None


Properties = dict[Identifier, Annotated[Property, BeforeValidator(_column_only)]]


class Endpoint(_Part):
    """One end of a relationship, found by its key; with `separator` a row makes one for each value."""

    label: Identifier
    column: str
    separator: str | None = Field(default=None, min_length=1)


class Time(_Part):
    """Where the time stands and in which unit; stored as INTEGER epoch milliseconds UTC under `property`."""

    column: str
    unit: TimeUnit
    property: Identifier = "at"


class TypeByValue(_Part):
    """The relationship type as a function of a column.

    `values` maps values to types, a null leaves the row out; `atLeast` maps lower bounds of a number to
    types (the highest bound reached wins); `asIs` makes the type of the value itself (`film.actor` becomes
    FILM_ACTOR). A value nothing applies to gets `otherwise`, or makes the row a broken one if that is not
    given.
    """

    column: str
    values: Annotated[dict[str, Identifier | None], BeforeValidator(_text_keys)] = {}
    at_least: dict[float, Identifier] = Field(default={}, alias="atLeast")
    as_is: bool = Field(default=False, alias="asIs")
    otherwise: Identifier | None = None


class Relationships(_Part):
    """One per row and pair of ends; those with the same ends, type and `identity` are one event."""

    type: Identifier | TypeByValue
    source: Endpoint = Field(alias="from")
    target: Endpoint = Field(alias="to")
    time: Time | None = None
    position: Identifier | None = None
    properties: Properties = {}
    identity: list[Identifier] | None = None

    def identity_properties(self) -> list[str]:
        """What tells two relationships of one pair apart: the time, else the position, else nothing."""
        if self.identity is not None:
            return list(self.identity)
        return [self.time.property] if self.time else [self.position] if self.position else []

    def property_names(self) -> list[str]:
        """All properties a relationship gets: time, position, then the rest."""
        return [
            *([self.time.property] if self.time else []),
            *([self.position] if self.position else []),
            *self.properties,
        ]

    def types(self) -> list[str]:
        """The types that are known before the data is read (`asIs` types are not)."""
        if isinstance(self.type, str):
            return [self.type]
        found = [*self.type.values.values(), *self.type.at_least.values(), self.type.otherwise]
        return list(dict.fromkeys(name for name in found if name))


class Nodes(_Part):
    """The nodes a table describes, one per row."""

    label: Identifier
    key: str
    properties: Properties = {}


class Table(_Part):
    """One table: where it is, how it is written, what its rows mean.

    `file` are patterns of file names (``*.csv``; a trailing .gz is always allowed), by default the table's
    name with any ending. `format` is told by the ending where it is not given: parquet, else delimited.
    `lists` are lines ``source target target …`` with the two column names in `columns`. Without `columns`,
    the first line has the names.
    """

    file: Texts = []
    optional: bool = False
    format: Literal["delimited", "lists", "parquet", "recbole"] | None = None
    delimiter: str = Field(default=",", min_length=1)
    quoted: bool = True
    columns: list[str] | None = None
    encoding: Annotated[str, AfterValidator(_codec)] = "utf-8"
    missing: list[str] = [""]
    nodes: list[Nodes] = []
    relationships: list[Relationships] = []

    def uses(self) -> Iterator[tuple[str, str]]:
        """(column, what for), in the order of the mapping."""
        for part in self.nodes:
            yield part.key, f"the key of {part.label}"
            yield from ((prop.column, f"{part.label}.{name}") for name, prop in part.properties.items())
        for part in self.relationships:
            yield part.source.column, f"the key of {part.source.label}"
            yield part.target.column, f"the key of {part.target.label}"
            if isinstance(part.type, TypeByValue):
                yield part.type.column, "the relationship type"
            if part.time:
                yield part.time.column, f"the time {part.time.property}"
            yield from ((prop.column, f"the property {name}") for name, prop in part.properties.items())


class IngestMapping(_Part):
    """The whole mapping. Two are equal when they load the same graph from the same files."""

    nodes: dict[Identifier, Label]
    tables: dict[str, Table] = Field(min_length=1)


def shipped(name: str) -> IngestMapping:
    """A mapping that comes with the package.

    Raises:
        UnknownName: there is none of that name.
    """
    home = resources.files("gds_pipelines.ingest") / "mappings"
    known = sorted(entry.name[:-4] for entry in home.iterdir() if entry.name.endswith(".yml"))
    if name not in known:
        raise UnknownName("mapping", name, known)
    return parse(yaml.safe_load((home / f"{name}.yml").read_text("utf-8")), f"mapping {name}")


def read(path: Path) -> IngestMapping:
    """The mapping in a YAML or TOML file.

    Raises:
        InvalidInput: no such file, not YAML or TOML, or not a mapping; all faults are listed.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidInput(f"The mapping {path} cannot be read", [f"{reason}"]) from None
    try:
        raw = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        raise InvalidInput(f"The mapping {path} is not {kind}", [" ".join(str(error).split())]) from None
    return parse(raw, f"mapping {path}")


def parse(raw: Any, what: str) -> IngestMapping:
    """A mapping from plain values, checked as a whole.

    Raises:
        InvalidInput: every unknown key, wrong type, bad name and undeclared label at once.
    """
    if not isinstance(raw, Map):
        raise InvalidInput(
            f"The {what} is not usable",
            [f"a map with 'nodes' and 'tables' is needed, found {type(raw).__name__}"],
        )
    try:
        mapping = IngestMapping.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(f"The {what} is not usable", _faults(error, raw)) from None
    faults = list(_contradictions(mapping))
    if faults:
        raise InvalidInput(f"The {what} is not usable", faults)
    return mapping


def _faults(error: ValidationError, raw: Any) -> list[str]:
    faults: dict[str, None] = {}
    for fault in error.errors():
        # Branch names of a union stand in the location; they say nothing to the reader.
        path = [
            step for step in fault["loc"] if step not in ("TypeByValue", "Property") and not _internal(step)
        ]
        where = ".".join(map(str, path)) or "the top level"
        match fault["type"]:
            case "extra_forbidden":
                siblings = _keys_allowed(path[:-1], raw)
                faults[f"{where}: unknown key.{did_you_mean(str(path[-1]), siblings)}"] = None
            case "missing":
                faults[f"{where}: is not given"] = None
            case _:
                faults[f"{where}: {fault['msg'].removeprefix('Value error, ')}"] = None
    return list(faults)


def _internal(step: int | str) -> bool:
    return isinstance(step, str) and (step.startswith("function-") or step.startswith("constrained-"))


def _keys_allowed(path: list[int | str], raw: Any) -> list[str]:
    """The keys of the map at `path`, by walking the model beside the raw values."""
    names = {
        0: IngestMapping,
        "label": Label,
        "table": Table,
        "nodes": Nodes,
        "relationships": Relationships,
        "property": Property,
        "end": Endpoint,
        "time": Time,
        "type": TypeByValue,
    }
    model: Any
    match path:
        case []:
            model = names[0]
        case ["nodes", _]:
            model = names["label"]
        case ["tables", _]:
            model = names["table"]
        case ["tables", _, ("nodes" | "relationships") as kind, _]:
            model = names[kind]
        case [*_, ("from" | "to")]:
            model = names["end"]
        case [*_, ("time" | "type") as kind]:
            model = names[kind]
        case [*_, "properties", _]:
            model = names["property"]
        case _:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _contradictions(mapping: IngestMapping) -> Iterator[str]:
    for name, table in mapping.tables.items():
        if not table.nodes and not table.relationships:
            yield f"tables.{name}: makes neither nodes nor relationships"
        if table.format == "lists" and len(table.columns or []) != 2:
            yield f"tables.{name}.columns: a table of lists has two, the source and the target"
        if table.columns and len(set(table.columns)) < len(table.columns):
            yield f"tables.{name}.columns: a name is given twice"
        if table.columns and table.format != "recbole":
            for column, purpose in table.uses():
                if column not in table.columns:
                    yield (
                        f"tables.{name}: no column '{column}' for "
                        f"{purpose}.{did_you_mean(column, table.columns)}"
                    )
        ends = [(f"nodes.{i}", part.label) for i, part in enumerate(table.nodes)]
        for i, part in enumerate(table.relationships):
            ends += [
                (f"relationships.{i}.from", part.source.label),
                (f"relationships.{i}.to", part.target.label),
            ]
            known = part.property_names()
            if len(set(known)) < len(known):
                yield (
                    f"tables.{name}.relationships.{i}: the time, position and properties need different names"
                )
            for missing in sorted(set(part.identity_properties()) - set(known)):
                yield (
                    f"tables.{name}.relationships.{i}.identity: no property "
                    f"'{missing}'.{did_you_mean(missing, known)}"
                )
            if isinstance(part.type, TypeByValue) and not (part.types() or part.type.as_is):
                yield f"tables.{name}.relationships.{i}.type: give values, atLeast, asIs or otherwise"
        for where, label in ends:
            if label not in mapping.nodes:
                yield (
                    f"tables.{name}.{where}: label '{label}' is not under "
                    f"nodes.{did_you_mean(label, mapping.nodes)}"
                )
        for i, part in enumerate(table.nodes):
            if part.label in mapping.nodes and mapping.nodes[part.label].key in part.properties:
                yield f"tables.{name}.nodes.{i}: '{mapping.nodes[part.label].key}' is the key already"
