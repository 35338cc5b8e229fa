"""The registry of models: every module of this package with a ``Recommender`` that states ``info``.

A new model is one new file; nothing else names it. ``recommender("fism")`` gives the class. A package of
one's own adds models by the entry point group ``gnn4j.models``, each naming a class.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from gds_pipelines.errors import PipelineError, UnknownName
from gds_pipelines.models import saved_model
from gds_pipelines.models.base import Recommender

DEFAULT_MODEL = "fism"
ENTRY_POINTS = "gnn4j.models"
BASELINES = ("popularity", "itemknn", "rp3beta", "ials")
"""Stand beside every measured model, in this order."""
RATING_BASELINES = ("mean-ratings",)
"""Stand beside models that predict ratings, where the ranking baselines cannot."""


@cache
def registry() -> Mapping[str, type[Recommender]]:
    """All models by name, in alphabetical order.

    Raises:
        PipelineError: two files state the same name.
    """
    found: dict[str, type[Recommender]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for value in vars(loaded).values():
            own = (
                isinstance(value, type)
                and issubclass(value, Recommender)
                and value.__module__ == loaded.__name__
            )
            if not own or "info" not in vars(value):
                continue
            name = value.info.name
            if name in found:
                raise PipelineError(
                    f"Two models are called '{name}': {found[name].__module__} and {value.__module__}. "
                    f"Rename one."
                )
            found[name] = value
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        value = entry.load()
        if not (isinstance(value, type) and issubclass(value, Recommender) and "info" in vars(value)):
            raise PipelineError(
                f"The entry point '{entry.name}' ({entry.value}) is no Recommender with `info`. Mend the "
                f"package that brings it, or remove it."
            )
        if value.info.name in found:
            raise PipelineError(f"Two models are called '{value.info.name}'; one comes from {entry.value}.")
        found[value.info.name] = value
    return MappingProxyType(dict(sorted(found.items())))


def recommender(name: str) -> type[Recommender]:
    """The class of a model by name; ``UnknownName`` suggests the one that was meant."""
    if name not in registry():
        raise UnknownName("model", name, registry())
    return registry()[name]


def baselines_of(name: str) -> tuple[str, ...]:
    """What stands beside a model by default."""
    return RATING_BASELINES if recommender(name).info.rates else BASELINES


@cache
def _measurements() -> Mapping[str, list]:
    text = importlib.resources.files(__name__).joinpath("measured.json").read_text(encoding="utf-8")
    return json.loads(text)


def measured(name: str) -> list[dict]:
    """Figures of a model as the committed benchmarks have them: data, figure, value; empty when none was
    taken."""
    return list(_measurements().get(name, []))


def load(directory: str | Path) -> Recommender:
    """A model as ``Recommender.save`` wrote it, ready to recommend and equal to the one that was saved.

    Raises:
        PipelineError: the folder holds no trained model, or one of another format.
        UnknownName: the model is of a package that is not installed here.
    """
    description, arrays = saved_model.read(directory)
    return recommender(description["model"])._loaded(description, arrays)
