"""Writes the manifests and vectors.arrow of this folder; the numbers come from README.md.

python tests/golden/vectors/make.py
"""

import runpy
from pathlib import Path

import numpy as np

from model_export.artefact import Artefact
from model_export.vector_pairs import build

HERE = Path(__file__).resolve().parent
SHARED = runpy.run_path(str(HERE.parent / "item_propagation" / "make.py"))

FOLD_IN = {"rule": "fold-in", "unobserved": 0.5, "regularization": 0.5, "nu": 1.0, "items": 4}


def make(cold: str | dict = "mean") -> Artefact:
    return build(
        model="ials",
        user_keys=np.array([1, 7]),
        user_vectors=np.array([[2, 1], [1, 1]], np.float32),
        item_keys=np.array([101, 102, 103, 999]),
        item_vectors=np.array([[1, 0], [0, 2], [1, 1], [5, 5]], np.float32),
        cold=cold,
        schema=SHARED["SCHEMA"],
        task=SHARED["TASK"],
        gnn4j_version="0.1.0",
        created_at="2026-01-01T00:00:00Z",
    )


if __name__ == "__main__":
    artefact = make()
    (HERE / "vectors.arrow").write_bytes(artefact.files["vectors.arrow"])
    (HERE / "manifest.json").write_bytes(artefact.manifest_bytes)
    (HERE / "manifest_fold_in.json").write_bytes(make(FOLD_IN).manifest_bytes)
