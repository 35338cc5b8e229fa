"""Writes manifest.json and weights.arrow of this folder; the numbers come from README.md.

python tests/golden/item_weights/make.py
"""

import runpy
from pathlib import Path

import numpy as np

from model_export.artefact import Artefact
from model_export.item_weights import build

HERE = Path(__file__).resolve().parent
SHARED = runpy.run_path(str(HERE.parent / "item_propagation" / "make.py"))

WEIGHTS = [(0, 3, 1.0), (0, 1, 0.5), (0, 2, 0.25), (1, 2, 1.0), (1, 0, 0.75), (2, 0, -0.5), (3, 1, 1.0)]


def make() -> Artefact:
    source, target, weight = (np.array(column) for column in zip(*WEIGHTS, strict=True))
    return build(
        model="itemknn",
        item_keys=np.array([101, 102, 103, 999]),
        source=source,
        target=target,
        weight=weight,
        schema=SHARED["SCHEMA"],
        task=SHARED["TASK"],
        gnn4j_version="0.1.0",
        created_at="2026-01-01T00:00:00Z",
    )


if __name__ == "__main__":
    artefact = make()
    (HERE / "weights.arrow").write_bytes(artefact.files["weights.arrow"])
    (HERE / "manifest.json").write_bytes(artefact.manifest_bytes)
