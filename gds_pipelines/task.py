"""The task: what is recommended to whom, and by which behaviours.

One small frozen object; everything else follows from it. Cypher accepts the same
map, so the keys are camelCase in files and attributes are snake_case here.
``Task.from_mapping`` names all faults at once and completes the defaults,
``to_mapping`` gives the completed map back (equal tasks, equal maps).
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from gds_pipelines.errors import InvalidInput, did_you_mean

_KEYS = (
    "recommend",
    "to",
    "key",
    "via",
    "timeProperty",
    "horizon",
    "seen",
    "eventKey",
    "alsoLabels",
    "alsoTypes",
    "features",
    "ratings",
)
_VIA_KEYS = ("weight", "direction", "through")
_DURATION = re.compile(
    r"P(?=[\dT])(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_MILLIS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}


@dataclass(frozen=True)
class Behaviour:
    """One way a user touches an item.

    Args:
        weight: finite and > 0; of several behaviours between the same pair the largest counts.
        direction: 'out' from the user to the item, 'in' the other way round.
        through: relationship types of a path over middle nodes, as (PLACED, CONTAINS); empty = one
            relationship whose type is the behaviour's name.
        rating: property of its relationships that is their weight, in place of ``weight``; set by
            ``Task.of_ratings`` alone, no map says it.
    """

    weight: float = 1.0
    direction: str = "out"
    through: tuple[str, ...] = ()
    rating: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {"weight": self.weight, "direction": self.direction}
        if self.through:
            mapping["through"] = list(self.through)
        return mapping


@dataclass(frozen=True)
class Task:
    """What is recommended to whom.

    Args:
        recommend, to: labels of the recommended nodes and of those who receive; they may be equal.
        key: property that identifies a node, by label; a uniqueness constraint stands on each.
        via: behaviours by name, at least one.
        time_property: INTEGER epoch milliseconds UTC on the relationships, or None.
        horizon: ISO-8601 duration of weeks, days, hours, minutes, seconds; the test part is the last one.
            None = none.
        seen: behaviours that make an item known to a user, so that it is not recommended again; default all
            of via.
        event_key: what makes two events the same one at ingestion.
        also_labels, also_types: further nodes and relationships the models may read.
        features: properties the models may read, by label.
        ratings: by type of relationships from ``to`` to ``recommend`` the numeric property that holds what
            was rated; models that predict ratings learn from these in place of ``via``.
    """

    recommend: str
    to: str
    key: Mapping[str, str]
    via: Mapping[str, Behaviour]
    time_property: str | None = None
    horizon: str | None = None
    seen: tuple[str, ...] = ()
    event_key: tuple[str, ...] = ()
    also_labels: tuple[str, ...] = ()
    also_types: tuple[str, ...] = ()
    features: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    ratings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    # ---------------------------------------------------------------- reading

    @classmethod
    def read(cls, path: str | Path) -> Task:
        """A task from a ``.json``, ``.toml``, ``.yaml`` or ``.yml`` file."""
        path = Path(path)
        readers = {
            ".json": json.loads,
            ".toml": tomllib.loads,
            ".yaml": yaml.safe_load,
            ".yml": yaml.safe_load,
        }
        if path.suffix not in readers:
            raise InvalidInput(
                f"Task file '{path}'",
                [f"the ending is '{path.suffix}', expected one of {', '.join(readers)}"],
            )
        try:
            raw = readers[path.suffix](path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InvalidInput(f"Task file '{path}'", ["there is no such file; check the path"]) from None
        except (ValueError, yaml.YAMLError, OSError) as error:
            raise InvalidInput(f"Task file '{path}'", [f"cannot be read: {error}"]) from None
        return cls.from_mapping(raw)

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Task:
        """Check a map as a user wrote it and complete it.

        Raises:
            InvalidInput: all faults at once: unknown keys with a suggestion, wrong types and ranges.
        """
        if not isinstance(raw, Mapping):
            raise InvalidInput("Task", [f"expected a map, found {_kind(raw)}"])
        reader = _Reader(raw)
        recommend = reader.text("recommend")
        to = reader.text("to")
        also_labels = reader.texts("alsoLabels")
        labels = list(dict.fromkeys(label for label in (recommend, to, *also_labels) if label))
        task = cls(
            recommend=recommend,
            to=to,
            key=reader.keys(recommend, to, labels),
            via=reader.via(),
            time_property=reader.text("timeProperty", optional=True),
            horizon=reader.horizon(),
            seen=reader.seen(),
            event_key=(),
            also_labels=also_labels,
            also_types=reader.texts("alsoTypes"),
            features=reader.features(labels),
            ratings=reader.ratings(),
        )
        default_event = ["source", "type", "target"] + ([task.time_property] if task.time_property else [])
        object.__setattr__(task, "event_key", reader.texts("eventKey", tuple(default_event), empty=False))
        if reader.faults:
            raise InvalidInput("Task", reader.faults)
        return task

    def to_mapping(self) -> dict[str, Any]:
        """The completed map, with camelCase keys, of plain values only (ready for JSON and Cypher)."""
        mapping: dict[str, Any] = {
            "recommend": self.recommend,
            "to": self.to,
            "key": dict(self.key),
            "via": {name: behaviour.to_mapping() for name, behaviour in self.via.items()},
            "timeProperty": self.time_property,
            "horizon": self.horizon,
            "seen": list(self.seen),
            "eventKey": list(self.event_key),
            "alsoLabels": list(self.also_labels),
            "alsoTypes": list(self.also_types),
            "features": {label: list(properties) for label, properties in self.features.items()},
        }
        if self.ratings:
            mapping["ratings"] = dict(self.ratings)
        return mapping

    def __reduce__(self) -> tuple:
        return Task.from_mapping, (self.to_mapping(),)  # read-only maps cannot be pickled themselves

    # ---------------------------------------------------------------- what follows

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels of the task, each once: recommended, receiving, then the further ones."""
        return tuple(dict.fromkeys((self.recommend, self.to, *self.also_labels)))

    @property
    def horizon_millis(self) -> int | None:
        """The horizon in milliseconds, or None."""
        return None if self.horizon is None else duration_millis(self.horizon)

    @property
    def weights(self) -> dict[str, float]:
        """Weight by behaviour name."""
        return {name: behaviour.weight for name, behaviour in self.via.items()}

    def of_ratings(self) -> Task:
        """What models of ratings read: the relationships that hold ratings, or, where the task names none,
        its behaviours, whose weights are the ratings then.

        Raises:
            InvalidInput: there is nothing that differs from pair to pair.
        """
        if not self.ratings:
            if len(set(self.weights.values())) > 1:
                return self
            raise InvalidInput(
                "Ratings",
                [
                    "the task does not say where they are, and its behaviours all weigh the same. Name the "
                    "relationships and their property, as ratings: {RATED: 'stars'}; or give `via` weights "
                    "that tell more from less"
                ],
            )
        rated = {
            name: Behaviour(direction=self.via.get(name, Behaviour()).direction, rating=held)
            for name, held in self.ratings.items()
        }
        return replace(
            self, via=rated, seen=tuple(rated), also_labels=(), also_types=(), features=MappingProxyType({})
        )


def duration_millis(text: str) -> int:
    """Milliseconds of an ISO-8601 duration of weeks, days, hours, minutes, seconds.

    Raises:
        ValueError: for anything else; years and months too, since their length is not fixed.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(
            f"'{text}' is not a duration of weeks, days, hours, minutes or seconds; write for example "
            f"'P30D' or 'PT12H'"
        )
    millis = sum(float(found[unit]) * size for unit, size in _MILLIS.items() if found[unit])
    if millis < 1:
        raise ValueError(f"'{text}' is no time at all; write for example 'P30D' or 'PT12H'")
    return round(millis)


class _Reader:
    """Reads one raw map and collects faults instead of stopping at the first."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.faults: list[str] = []
        self.unknown(raw, _KEYS, "key")

    def unknown(self, raw: Mapping, known: tuple[str, ...], what: str) -> None:
        for name in raw:
            if name not in known:
                self.faults.append(
                    f"Unknown {what} `{name}`.{did_you_mean(str(name), known)} Allowed: {', '.join(known)}."
                )

    def text(self, name: str, *, optional: bool = False) -> str | None:
        value = self.raw.get(name)
        if value is None and optional:
            return None
        if value is None:
            self.faults.append(f"`{name}` is missing.")
        elif not isinstance(value, str) or not value.strip():
            self.faults.append(f"`{name}` must be a non-empty text, found {_kind(value)}.")
        else:
            return value
        return None if optional else ""

    def texts(self, name: str, default: tuple[str, ...] = (), *, empty: bool = True) -> tuple[str, ...]:
        value = self.raw.get(name)
        if value is None:
            return default
        return self.list_of_text(f"`{name}`", value, empty=empty)

    def list_of_text(self, name: str, value: Any, *, empty: bool = True) -> tuple[str, ...]:
        if (
            isinstance(value, str)
            or not isinstance(value, list | tuple)
            or not all(isinstance(entry, str) and entry.strip() for entry in value)
        ):
            self.faults.append(f"{name} must be a list of non-empty texts, found {_kind(value)}.")
            return ()
        twice = sorted({entry for entry in value if list(value).count(entry) > 1})
        if twice:
            self.faults.append(f"{name} holds '{twice[0]}' more than once.")
        if not empty and not value:
            self.faults.append(f"{name} is empty; leave it out to take the default.")
        return tuple(value)

    def mapping(self, name: str, *, optional: bool = False) -> Mapping | None:
        value = self.raw.get(name)
        if value is None:
            if not optional:
                self.faults.append(f"`{name}` is missing.")
            return None
        if not isinstance(value, Mapping) or not all(isinstance(entry, str) and entry for entry in value):
            self.faults.append(f"`{name}` must be a map from names, found {_kind(value)}.")
            return None
        return value

    def keys(self, recommend: str, to: str, labels: list[str]) -> Mapping[str, str]:
        raw = self.mapping("key")
        if raw is None:
            return MappingProxyType({})
        for label, value in raw.items():
            if labels and label not in labels:
                self.faults.append(
                    f"`key` names the label '{label}', which the task does not."
                    f"{did_you_mean(label, labels)} Labels: {', '.join(labels)}."
                )
            if not isinstance(value, str) or not value.strip():
                self.faults.append(f"`key.{label}` must be the name of a property, found {_kind(value)}.")
        for label in dict.fromkeys((recommend, to)):
            if label and label not in raw:
                self.faults.append(
                    f"`key` has no property for '{label}'; name the one that identifies a node."
                )
        return MappingProxyType(dict(raw))

    def via(self) -> Mapping[str, Behaviour]:
        raw = self.mapping("via")
        if raw is None:
            return MappingProxyType({})
        if not raw:
            self.faults.append("`via` is empty; name at least one behaviour, for example {BUY: 1.0}.")
        return MappingProxyType({name: self.behaviour(name, value) for name, value in raw.items()})

    def behaviour(self, name: str, value: Any) -> Behaviour:
        where = f"`via.{name}`"
        if not isinstance(value, Mapping):
            value = {"weight": value}
        self.unknown(value, _VIA_KEYS, f"key in {where}:")
        weight = value.get("weight", 1.0)
        good = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not good or not math.isfinite(weight) or weight <= 0:
            found = weight if good else _kind(weight)
            self.faults.append(f"{where}: the weight must be a finite number > 0, found {found}.")
            weight = 1.0
        direction = value.get("direction", "out")
        if direction not in ("out", "in"):
            self.faults.append(f"{where}: the direction must be 'out' or 'in', found {_kind(direction)}.")
            direction = "out"
        through: tuple[str, ...] = ()
        if value.get("through") is not None:
            entry = value["through"]
            if (
                isinstance(entry, list | tuple)
                and len(entry) >= 2
                and all(isinstance(t, str) and t for t in entry)
            ):
                through = tuple(entry)
            else:
                self.faults.append(
                    f"{where}: `through` must list at least two relationship types, found {_kind(entry)}."
                )
        return Behaviour(float(weight), direction, through)

    def horizon(self) -> str | None:
        value = self.text("horizon", optional=True)
        if value is None:
            return None
        try:
            duration_millis(value)
        except ValueError as error:
            self.faults.append(f"`horizon`: {error}.")
        if self.raw.get("timeProperty") is None:
            self.faults.append(
                "`horizon` needs `timeProperty`, the property that holds the time of an event."
            )
        return value

    def seen(self) -> tuple[str, ...]:
        via = self.raw.get("via")
        names = tuple(via) if isinstance(via, Mapping) else ()
        if self.raw.get("seen") is None:
            return names
        chosen = self.texts("seen")
        for name in chosen:
            if names and name not in names:
                self.faults.append(
                    f"`seen` names '{name}', which is not in `via`.{did_you_mean(name, names)} "
                    f"Known: {', '.join(names)}."
                )
        return chosen

    def features(self, labels: list[str]) -> Mapping[str, tuple[str, ...]]:
        raw = self.mapping("features", optional=True)
        if raw is None:
            return MappingProxyType({})
        for label in raw:
            if labels and label not in labels:
                self.faults.append(
                    f"`features` names the label '{label}', which the task does not."
                    f"{did_you_mean(label, labels)} Labels: {', '.join(labels)}."
                )
        return MappingProxyType(
            {label: self.list_of_text(f"`features.{label}`", value) for label, value in raw.items()}
        )

    def ratings(self) -> Mapping[str, str]:
        raw = self.mapping("ratings", optional=True)
        if raw is None:
            return MappingProxyType({})
        via = self.raw.get("via")
        for name, value in raw.items():
            if not isinstance(value, str) or not value.strip():
                self.faults.append(f"`ratings.{name}` must be the name of a property, found {_kind(value)}.")
            behaviour = via.get(name) if isinstance(via, Mapping) else None
            if isinstance(behaviour, Mapping) and behaviour.get("through"):
                self.faults.append(
                    f"`ratings` names '{name}', which runs through middle nodes; name the relationship that "
                    "holds the rating."
                )
        return MappingProxyType(dict(raw))


def _kind(value: Any) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", type(None): "nothing"}
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    name = names.get(type(value), type(value).__name__)
    return f"{name} ({value!r})" if isinstance(value, str | int | float) else name
