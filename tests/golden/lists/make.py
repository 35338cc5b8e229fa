"""Writes manifest.json and lists.arrow of this folder; the numbers come from README.md.

python tests/golden/lists/make.py
"""

import runpy
from pathlib import Path

import numpy as np

from model_export.artefact import Artefact
from model_export.ranked_lists import build

HERE = Path(__file__).resolve().parent
SHARED = runpy.run_path(str(HERE.parent / "item_propagation" / "make.py"))


def make() -> Artefact:
    return build(
        model="userknn",
        user_keys=np.array([1, 7]),
        item_keys=np.array([101, 102, 103, 104, 999]),
        users=np.array([0, 0, 0, 0, 1]),
        items=np.array([1, 2, 4, 3, 0]),
        ranks=np.array([1, 2, 3, 4, 1]),
        scores=np.array([3, 2, 1.5, 1, 1]),
        schema=SHARED["SCHEMA"],
        task=SHARED["TASK"],
        gnn4j_version="0.1.0",
        created_at="2026-01-01T00:00:00Z",
    )


if __name__ == "__main__":
    artefact = make()
    (HERE / "lists.arrow").write_bytes(artefact.files["lists.arrow"])
    (HERE / "manifest.json").write_bytes(artefact.manifest_bytes)
