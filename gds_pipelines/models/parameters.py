"""Hyper-parameters of a model: a frozen dataclass whose fields carry range and meaning.

One reader for all models: from keyword, from ``--set key=value`` text and from a
TOML file; unknown names, wrong types and ranges come back all at once.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Any, TypeVar

from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.naming import to_snake


def param(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    search: Sequence[Any] | None = None,
) -> Any:
    """A field with its meaning and range (``low`` <= value <= ``high``, value > ``above``).

    ``search`` is where a good value is looked for: (low, high), (low, high, "log"), or texts to choose from.
    A field without it keeps its default in a search.
    """
    metadata = {"help": help, "low": low, "high": high, "above": above, "choices": choices, "search": search}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Base of every model's hyper-parameters; subclasses add fields made by ``param``."""

    def to_mapping(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


P = TypeVar("P", bound=Parameters)


def read_parameters(cls: type[P], given: Mapping[str, Any] | Parameters | None, what: str) -> P:
    """Check ``given`` against the fields of ``cls`` and complete it with the defaults.

    Names may be snake_case or camelCase; texts are converted (``--set dimension=64``).

    Raises:
        InvalidInput: all faults at once; ``what`` begins the sentence, e.g. ``Hyper-parameters of 'fism'``.
    """
    if isinstance(given, cls):
        return given
    if isinstance(given, Parameters):
        raise InvalidInput(what, [f"these are of another model: {type(given).__qualname__}"])
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    values, faults = {}, []
    for raw_name, raw in (given or {}).items():
        name = to_snake(str(raw_name))
        if name not in fields:
            faults.append(
                f"Unknown hyper-parameter `{raw_name}`.{did_you_mean(name, fields)} "
                f"Known: {', '.join(fields) or 'none'}."
            )
            continue
        try:
            value = _convert(raw, hints[name])
        except ValueError as error:
            faults.append(f"`{name}` {error}.")
            continue
        fault = _range_fault(value, fields[name].metadata)
        if fault:
            faults.append(f"`{name}` {fault}.")
        values[name] = value
    if faults:
        raise InvalidInput(what, faults)
    return cls(**values)


def parse_settings(settings: Sequence[str], into: list[str] | None = None) -> dict[str, str]:
    """``["dimension=64"]`` as a map; a piece without ``=`` or a name given twice is refused.

    Args:
        into: collects the faults instead of raising, for who has more to check.
    """
    values: dict[str, str] = {}
    faults = [] if into is None else into
    for piece in settings:
        name, sign, value = piece.partition("=")
        name = name.strip()
        if not sign or not name:
            faults.append(f"'{piece}' is not of the form key=value")
        elif name in values:
            faults.append(f"'{name}' is given twice")
        else:
            values[name] = value.strip()
    if faults and into is None:
        raise InvalidInput("Settings", faults)
    return values


def describe(cls: type[Parameters]) -> list[dict[str, Any]]:
    """One map a hyper-parameter (name, type, default, range, help), for listings."""
    hints = typing.get_type_hints(cls)
    rows = []
    for field in dataclasses.fields(cls):
        row = {"name": field.name, "type": _type_name(hints[field.name]), "default": field.default}
        if field.default is MISSING:
            raise TypeError(f"{cls.__qualname__}.{field.name} has no default")
        row |= {key: value for key, value in field.metadata.items() if value is not None}
        rows.append(row)
    return rows


def _type_name(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if not isinstance(hint, types.UnionType) else str(hint)


def _convert(raw: Any, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if raw is None or (isinstance(raw, str) and raw.lower() in ("none", "null", "")):
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if hint is bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.lower() in ("true", "false"):
            return raw.lower() == "true"
        raise ValueError(f"must be true or false, found {raw!r}")
    if hint is str:
        if isinstance(raw, str):
            return raw
        raise ValueError(f"must be text, found {raw!r}")
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"must be a number, found {raw!r}")
    try:
        number = float(raw)
    except ValueError:
        raise ValueError(f"must be a number, found {raw!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"must be finite, found {raw!r}")
    if hint is int:
        if number != int(number):
            raise ValueError(f"must be a whole number, found {raw!r}")
        return int(number)
    return number


def _range_fault(value: Any, metadata: Mapping) -> str | None:
    if value is None:
        return None
    choices = metadata.get("choices")
    if choices is not None and value not in choices:
        hint = did_you_mean(str(value), choices).rstrip(".")
        return f"must be one of {', '.join(choices)}, found '{value}'.{hint}".rstrip(".")
    low, high, above = (metadata.get(key) for key in ("low", "high", "above"))
    if low is not None and value < low:
        return f"must be at least {low}, found {value}"
    if above is not None and value <= above:
        return f"must be above {above}, found {value}"
    if high is not None and value > high:
        return f"must be at most {high}, found {value}"
    return None
