"""Writes manifest.json and model.onnx of this folder: the tiny model of README.md.

python tests/golden/padded_blocks/make.py
"""

import json
from pathlib import Path

import torch

from model_export.block_schema import BlockSchema, Feature, NodeType, Relation
from model_export.exporter import export
from model_export.golden import tensor_from_json
from model_export.parts import MANIFEST_FILE

HERE = Path(__file__).resolve().parent
SCHEMA = BlockSchema(
    types=(
        NodeType(
            "Item",
            "id",
            (
                Feature("price", "number"),
                Feature("category", "category", vocabulary=("book", "film")),
                Feature("tags", "list", vocabulary=("new", "sale"), length=2),
            ),
        ),
        NodeType(
            "User",
            "id",
            (Feature("age", "number"), Feature("member", "bool"), Feature("taste", "vector", width=2)),
        ),
    ),
    relations=(
        Relation("User", "BUY", "Item", "out"),
        Relation("Item", "BUY", "User", "in"),
        Relation("Item", "SIMILAR", "Item", "out", ("weight",)),
        Relation("User", "FOLLOWS", "User", "out"),
    ),
    fanouts=((3, 2, 2), (2, 2, 2), (2, 2, 2), (1, 1, 1)),
    seeds=("Item", "User"),
    layers=3,
    random_seed=7,
)
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"Item": "id", "User": "id"},
    "via": {"BUY": {"weight": 1.0, "direction": "out"}},
    "timeProperty": "at",
    "horizon": None,
    "seen": ["BUY"],
    "eventKey": ["source", "type", "target", "at"],
    "alsoLabels": [],
    "alsoTypes": ["SIMILAR", "FOLLOWS"],
    "features": {"Item": ["price", "category", "tags"], "User": ["age", "member", "taste"]},
}


class HandWorked(torch.nn.Module):
    """As README.md says; takes the tensors of the contract in their canonical order."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("category", torch.tensor([-1.0, 2.0, 1.0, 3.0])[:, None])
        self.register_buffer("tag", torch.tensor([1.0, 4.0, 2.0, 6.0])[:, None])

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        at = dict(zip(SCHEMA.tensors, tensors, strict=True))
        items, users = self.items(at["x_n0"], at["code_n0"]), self.users(at["x_n1"])
        layer = [[table[at[f"hop_n{n}_{h}"]] for n, table in enumerate((items, users))] for h in range(4)]
        for factor, depth in ((1.0, 3), (2.0, 2), (-1.0, 1)):
            layer = [
                [self.item(factor, layer, at, hop), self.user(factor, layer, at, hop)]
                for hop in range(1, depth + 1)
            ]
        return torch.cat(layer[0])[at["seed"]]

    def items(self, x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        missing = torch.isnan(x)
        price = torch.where(missing, 0.0, x) + 2.0 * missing.float()
        tags = code[:, 1:]
        there = (tags >= 0).float()
        mean = (there / (there @ torch.ones(2, 1))).unsqueeze(1) @ self.tag[tags.clamp(min=0)]
        return torch.cat([price, self.category[code[:, 0]] + mean.squeeze(1)], 1)

    def users(self, x: torch.Tensor) -> torch.Tensor:
        missing = torch.isnan(x).float()
        age, member, first, second = (
            torch.where(torch.isnan(column), 0.0, column)
            for column in ((x[:, 0] - 30.0) / 10.0, x[:, 1], x[:, 2], x[:, 3])
        )
        left = age + 3.0 * missing[:, 0] + 5.0 * member + missing[:, 1]
        return torch.stack([left, 2.0 * first + second + 7.0 * missing[:, 2]], 1)

    def mean(self, values: torch.Tensor, nbr: torch.Tensor, weight: torch.Tensor | float) -> torch.Tensor:
        there = (nbr >= 0).float()
        count = (there @ torch.ones(nbr.shape[1], 1)).clamp(min=1.0)
        return ((there * weight / count).unsqueeze(1) @ values[nbr.clamp(min=0)]).squeeze(1)

    def item(self, factor, layer, at, hop):
        edge = at[f"ef_r2_{hop}"][:, :, 0]
        weight = torch.where(torch.isnan(edge), 1.0, edge)
        degree = at[f"deg_r0_{hop}"]
        return (
            factor * layer[hop - 1][0]
            + self.mean(layer[hop][1], at[f"nbr_r0_{hop}"], 1.0)
            + self.mean(layer[hop][0], at[f"nbr_r2_{hop}"], weight)
            + torch.stack([torch.zeros_like(degree), degree], 1)
        )

    def user(self, factor, layer, at, hop):
        return (
            factor * layer[hop - 1][1]
            + self.mean(layer[hop][0], at[f"nbr_r1_{hop}"], 1.0).flip(1)
            + 10.0 * self.mean(layer[hop][1], at[f"nbr_r3_{hop}"], 1.0)
        )


def batches():
    """The batches of batches.json: inputs by name and the output."""
    found = json.loads((HERE / "batches.json").read_text(encoding="utf-8"))["batches"]
    return [
        ({name: _tensor(value) for name, value in one["tensors"].items()}, _tensor(one["output"]))
        for one in found
    ]


def _tensor(value):
    data = [float("nan") if number is None else number for number in value["data"]]
    return tensor_from_json({**value, "data": data})


def make():
    """The artefact; its golden sample is the first batch with prices, ages and tastes filled in."""
    inputs = [{name: one[name] for name in SCHEMA.tensors} for one, _ in batches()]
    whole = {name: array.copy() for name, array in inputs[0].items()}
    for array in whole.values():
        if array.dtype.kind == "f":
            array[array != array] = 3.0
    manifest = {
        "contract": "padded-blocks/1",
        "model": "hand_worked",
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0.1.0",
        "dimension": 2,
        "similarity": "dot",
        "signature": SCHEMA.signature(2),
        "task": TASK,
        "training": {
            "graph": {
                "nodes": {"Item": 4, "User": 3},
                "relationships": {"BUY": 3, "SIMILAR": 2, "FOLLOWS": 0},
            },
            "cutoff": None,
            "seed": 7,
            "hyperparameters": {},
        },
        "metrics": [],
        **SCHEMA.to_manifest(),
    }
    return export(HandWorked(), [whole, *inputs], manifest)


if __name__ == "__main__":
    artefact = make()
    for name, data in {MANIFEST_FILE: artefact.manifest_bytes, **artefact.files}.items():
        (HERE / name).write_bytes(data)
