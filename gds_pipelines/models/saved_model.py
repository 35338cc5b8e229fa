"""A trained model on disk: a folder with ``model.json`` (what it is) and ``arrays.npz`` (what it learned)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import PipelineError

FORMAT = 1


def write(directory: str | Path, description: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Path:
    """Make ``directory`` anew and put it in place in one move, so that it is never half of two models.

    Raises:
        PipelineError: it cannot be written; what stood there before still does.
    """
    directory = Path(directory)
    fresh = directory.with_name(directory.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    text = json.dumps({"format": FORMAT, **description}, indent=1, sort_keys=True)
    try:
        fresh.mkdir(parents=True)
        np.savez(fresh / "arrays.npz", **arrays)
        (fresh / "model.json").write_text(text + "\n")
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PipelineError(
            f"The trained model could not be written to '{directory}': {error}. Make room or choose another "
            "directory, then run the same command again: what was trained goes on from its checkpoint."
        ) from error
    old = directory.with_name(directory.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)
    return directory


def read(directory: str | Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Description and arrays as ``write`` was given them.

    Raises:
        PipelineError: the folder holds no trained model, or one of another format.
    """
    directory = Path(directory)
    try:
        description = json.loads((directory / "model.json").read_text())
        with np.load(directory / "arrays.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise PipelineError(
            f"No trained model can be read from '{directory}': {error}. Give the folder that `gnn4j "
            f"train` wrote."
        ) from error
    if description.get("format") != FORMAT:
        raise PipelineError(
            f"The model in '{directory}' has format {description.get('format')}, this version reads "
            f"{FORMAT}. Train it again."
        )
    return description, arrays
