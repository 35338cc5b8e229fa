"""Writes manifest.json, model.onnx and vectors.arrow of this folder; the numbers come from README.md.

python tests/golden/item_propagation/make.py
"""

from pathlib import Path

import numpy as np

from model_export.item_propagation import build
from model_export.parts import MANIFEST_FILE

HERE = Path(__file__).resolve().parent

SCHEMA = {
    "nodes": {"Item": {"key": "id", "properties": []}, "User": {"key": "id", "properties": []}},
    "relations": [
        {"source": "User", "type": "BUY", "target": "Item", "direction": "out"},
        {"source": "User", "type": "VIEW", "target": "Item", "direction": "out"},
    ],
}
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"Item": "id", "User": "id"},
    "via": {"BUY": {"weight": 1.0, "direction": "out"}, "VIEW": {"weight": 0.5, "direction": "out"}},
    "timeProperty": "at",
    "horizon": None,
    "seen": ["BUY", "VIEW"],
    "eventKey": ["source", "type", "target", "at"],
    "alsoLabels": [],
    "alsoTypes": [],
    "features": {},
}


def make():
    """The artefact worked by hand in README.md: D = 2, L = 2, p = 1/2."""
    return build(
        model="lightgcn",
        item_label="Item",
        keys=np.array([101, 102, 103, 999]),
        base=np.array([[4, 0], [0, 8], [9, -3], [7, 7]], np.float32),
        layers=2,
        exponent=0.5,
        schema=SCHEMA,
        task=TASK,
        gnn4j_version="0.1.0",
        created_at="2026-01-01T00:00:00Z",
        training={
            "graph": {"nodes": {"Item": 4, "User": 3}, "relationships": {"BUY": 3, "VIEW": 2}},
            "cutoff": None,
            "seed": 1,
            "hyperparameters": {},
        },
        metrics=[{"metric": "recall", "k": 20, "value": 0.5, "split": "test", "protocol": "full"}],
    )


if __name__ == "__main__":
    artefact = make()
    for name, data in {MANIFEST_FILE: artefact.manifest_bytes, **artefact.files}.items():
        (HERE / name).write_bytes(data)
