"""Writes graphsage.zip, gat.zip and hgt.zip of this folder: the shipped encoders with random weights, checked
artefacts of three layers over two labels. Tracing them takes a minute, so tests read them.

    python tests/golden/block_encoders/make.py
"""

from pathlib import Path

from gds_pipelines.models.block_encoders import BlockEncoder
from model_export import Artefact, export
from model_export.block_schema import BlockSchema, Feature, NodeType, Relation

HERE = Path(__file__).resolve().parent
KINDS = ("graphsage", "gat", "hgt")
WORDS = ("book", "film", "game", "é", "日本")
SCHEMA = BlockSchema(
    types=(
        NodeType(
            "Item",
            "id",
            (
                Feature("price", "number"),
                Feature("kind", "category", vocabulary=tuple(sorted(WORDS[:4], key=str.encode))),
                Feature("tags", "list", buckets=50, length=3),
                Feature("taste", "vector", width=4),
            ),
        ),
        NodeType("User", "id", (Feature("age", "number"), Feature("member", "bool"))),
    ),
    relations=(
        Relation("User", "BUY", "Item", "out"),
        Relation("Item", "BUY", "User", "in"),
        Relation("Item", "SIMILAR", "Item", "out"),
        Relation("User", "FOLLOWS", "User", "out"),
    ),
    fanouts=((4, 3, 2), (5, 3, 2), (3, 2, 2), (2, 2, 2)),
    seeds=("Item", "User"),
    layers=3,
    random_seed=-5,
)
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"Item": "id", "User": "id"},
    "via": {"BUY": 1.0},
    "alsoTypes": ["SIMILAR", "FOLLOWS"],
}


def exported(kind: str) -> Artefact:
    encoder = BlockEncoder(kind, SCHEMA, 16, heads=2, seed=1)
    manifest = {
        **SCHEMA.to_manifest(),
        "contract": "padded-blocks/1",
        "model": kind,
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0.1.0",
        "dimension": 16,
        "similarity": "cosine",
        "task": TASK,
        "training": {
            "graph": {"nodes": {}, "relationships": {}},
            "cutoff": None,
            "seed": 1,
            "hyperparameters": {},
        },
        "metrics": [],
    }
    return export(encoder, None, manifest)


if __name__ == "__main__":
    for name in KINDS:
        exported(name).write(HERE / f"{name}.zip")
