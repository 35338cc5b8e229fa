"""What GraphSAGE, GAT and HGT share: trained on padded blocks, scored by the vectors they give.

    u, e   = unit vectors of the encoder for users and items (``block_encoders``)
    loss   = mean over pairs (u, i) of w_ui [ -s_ui + log sum over j in C of exp(s_uj) / p_j ],  s = u . e / t

C are the items of the batch and as many uniform draws as ``negatives`` says, without the user's own; p_j is
the chance that j is in C, so the sum estimates the one over all items. The pairs of a batch are left out of
the neighbourhoods in both directions: a model must not see what it is asked.

Without features the items' keys enter as one: a category with an embedding each, which starts as the leading
singular vectors of the graph. Users have no vector of their own, so a new one is like an old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import UserVectorRecommender
from gds_pipelines.models.batches import BatchLearner, PairBatches, validation_figures
from gds_pipelines.models.block_encoders import BlockEncoder
from gds_pipelines.models.neighbourhoods import (
    ITEMS,
    USERS,
    Adjacency,
    Neighbourhoods,
    Visitors,
    behaviours_of,
    columns_of,
    moments,
    schema_of,
)
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.payload import BlockModel
from gds_pipelines.models.propagation import normalized
from gds_pipelines.models.spectral import spectral_start
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.surroundings import Surroundings
from gds_pipelines.training import Moment, TrainingOptions, train
from model_export.block_schema import MAX_FANOUT, MAX_LAYERS
from model_export.padded_blocks import PaddedBlocks

ITEM_KEY = "gnn_key"
"""Stands for the key property of the items until the task names it."""
EMBEDDED_AT_ONCE = 2048
MAX_IDENTITY_BYTES = 48 << 20


@dataclass(frozen=True)
class BlockParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=4, high=2048)
    fanouts: str = param("20,10", "neighbours drawn a relation, by hop; as many numbers as layers")
    heads: int = param(4, "heads of the attention; a divisor of dimension", low=1, high=64)
    epochs: int = param(5, "passes over the pairs", low=1, high=10_000)
    batch_pairs: int = param(1024, "pairs of a step", low=1)
    negatives: int = param(512, "items drawn for the denominator of a step", low=1)
    learning_rate: float = param(0.005, "peak of the schedule", above=0.0)
    temperature: float = param(0.12, "of the softmax", above=0.0)
    identity: bool = param(True, "items have a learned vector of their own beside their features")
    surroundings: bool = param(False, "alsoLabels and alsoTypes of the task are drawn from, too")


def read_fanouts(text: str) -> tuple[int, ...]:
    """Numbers from 1 to 1,000, at most 8, separated by commas.

    Raises:
        InvalidInput: anything else.
    """
    parts = [part.strip() for part in text.split(",")]
    good = all(part.isdigit() and 1 <= int(part) <= MAX_FANOUT for part in parts)
    if not good or len(parts) > MAX_LAYERS:
        raise InvalidInput(
            "Hyper-parameters",
            [
                f"`fanouts` must be 1 to {MAX_LAYERS} numbers from 1 to {MAX_FANOUT} like 20,10; "
                f"found '{text}'"
            ],
        )
    return tuple(int(part) for part in parts)


class BlockRecommender(UserVectorRecommender):
    """A subclass states ``info`` and ``kind``, a name of ``block_encoders.LAYERS``."""

    Parameters = BlockParameters
    kind: ClassVar[str]
    reads_features: ClassVar[bool] = True
    steps = "optimizer"
    _encoder: BlockEncoder
    _graph: Neighbourhoods
    _features: tuple[NodeFeatures, ...]
    """Of items, users and what stands around, as they were trained on."""
    _around: Surroundings | None = None

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._enter(interactions)
        self._encoder = self._fresh_encoder(interactions)
        learner = _Learner(self, interactions, validation)
        self.training_report = train(learner, options).to_mapping()
        self._encoder = self._encoder.cpu().eval()
        self._users, self._items = self.vectors()

    def _enter(self, interactions: Interactions) -> None:
        """Features, schema and adjacency of what is trained on."""
        items = interactions.item_features or NodeFeatures.none(interactions.n_items)
        users = interactions.user_features or NodeFeatures.none(interactions.n_users)
        if self.parameters.identity or not items.features:
            size = 4 * self.parameters.dimension * interactions.n_items
            if size > MAX_IDENTITY_BYTES:
                raise InvalidInput(
                    f"Model '{self.info.name}'",
                    [
                        f"vectors of {interactions.n_items:,} items take {size >> 20} MiB; an artefact holds "
                        f"{MAX_IDENTITY_BYTES >> 20}. Give the items features and set identity=false, "
                        f"or take a smaller dimension"
                    ],
                )
            items = items.with_category(ITEM_KEY, interactions.item_keys.tolist())
        self._take(interactions, items, users, self._surroundings_of(interactions))

    def _surroundings_of(self, interactions: Interactions) -> Surroundings | None:
        """Its nodes without features are told apart by their keys, as items are; all where ``identity``."""
        if not self.parameters.surroundings:
            return None
        if interactions.surroundings is None:
            raise InvalidInput(
                f"Model '{self.info.name}'",
                [
                    "`surroundings` is set, but what it trains on was read without them; train from the "
                    "database, by a task with `alsoLabels` and `alsoTypes`"
                ],
            )
        nodes = [
            replace(one, features=one.features.with_category(one.key, one.keys.tolist()))
            if len(one) and (self.parameters.identity or not one.features.features)
            else one
            for one in interactions.surroundings.nodes
        ]
        return replace(interactions.surroundings, nodes=tuple(nodes))

    def _take(
        self,
        interactions: Interactions,
        items: NodeFeatures,
        users: NodeFeatures,
        around: Surroundings | None,
    ) -> None:
        schema = schema_of(
            items.features,
            users.features,
            read_fanouts(self.parameters.fanouts),
            behaviours_of(interactions),
            self.seed,
            around,
        )
        others = around.nodes if around is not None else ()
        self._around = around
        self._features = (items, users, *(one.features for one in others))
        counts = (interactions.n_items, interactions.n_users, *map(len, others))
        columns = list(map(columns_of, self._features, counts))
        self._graph = Neighbourhoods.of(interactions, schema, columns, around)

    def _encoder_of(self) -> BlockEncoder:
        chosen = self.parameters
        return BlockEncoder(
            self.kind, self._graph.schema, chosen.dimension, heads=chosen.heads, seed=self.seed
        )

    def _fresh_encoder(self, interactions: Interactions) -> BlockEncoder:
        encoder = self._encoder_of()
        for entry, features in zip(encoder.inputs, self._features, strict=True):
            if features.x.shape[1]:
                for name, values in moments(features.x).items():
                    getattr(entry, name).copy_(torch.from_numpy(values))
        items = self._features[ITEMS]
        if items.features and items.features[-1].property == ITEM_KEY:
            start = spectral_start(normalized(interactions), self.parameters.dimension, self.seed)
            table = torch.zeros_like(encoder.inputs[ITEMS].tables[-1])
            table[torch.from_numpy(items.code[:, -1])] = torch.from_numpy(start)
            encoder.inputs[ITEMS].tables[-1].data = table
            encoder.inputs[ITEMS].constant.data.zero_()
        return encoder

    @torch.no_grad()
    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """[U, D] and [I, D] – unit vectors of all users and items; draws are those of the model's seed."""
        none = np.zeros(0, np.int64)
        found = []
        for count, at in ((self.train.n_users, USERS), (self.train.n_items, ITEMS)):
            parts = [np.zeros((0, self.parameters.dimension), np.float32)]
            for start in range(0, count, EMBEDDED_AT_ONCE):
                rows = np.arange(start, min(count, start + EMBEDDED_AT_ONCE))
                users, items = (rows, none) if at == USERS else (none, rows)
                blocks = self._graph.batch(users, items, self.seed)
                parts.append(encoded(self._encoder, blocks).cpu().numpy())
            found.append(np.concatenate(parts))
        return found[0], found[1]

    @torch.no_grad()
    def _fold_in(self, histories: Histories) -> NDArray[np.float32]:
        """[B, D] – visitors: their items are drawn from like those of a user; no features are known."""
        first = self.train.n_users
        matrix = sp.csr_array(histories.matrix)
        matrix.sort_indices()
        rows = first + np.arange(len(histories))
        blocks = self._graph.batch(
            rows,
            np.zeros(0, np.int64),
            self.seed,
            visitors=Visitors(first, Adjacency.of(matrix)),
        )
        return encoded(self._encoder, blocks).cpu().numpy()

    def _unknown(self, histories: Histories, users: NDArray | None) -> NDArray[np.bool_]:
        """A user without items is known by features, where there are some."""
        if users is not None and self._features[USERS].features:
            return np.zeros(len(histories), bool)
        return histories.degrees == 0

    # ---------------------------------------------------------------- leaving

    def payload(self) -> BlockModel:
        return BlockModel(
            schema=self._graph.schema,
            module=self._encoder,
            dimension=self.parameters.dimension,
            item_key=ITEM_KEY,
            told_apart=self.train.kinds is not None,
            behaviours=len(self._graph.to_items),
            hyperparameters=self.parameters.to_mapping() | {"seed": self.seed},
        )

    def _state(self) -> dict[str, NDArray]:
        state = {"users": self._users, "items": self._items}
        for side, features in zip(("item", "user"), self._features, strict=False):
            state |= {f"{side}_features.{name}": array for name, array in features.to_arrays().items()}
        if self._around is not None:
            state |= {f"around.{name}": array for name, array in self._around.to_arrays().items()}
        if self.train.kinds is not None:
            state["kinds"] = self.train.kinds
        state |= {f"weights.{name}": value.numpy() for name, value in self._encoder.state_dict().items()}
        return state

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._users, self._items = state["users"], state["items"]
        if "kinds" in state:
            self._train = replace(self.train, kinds=state["kinds"])
        items, users = (
            NodeFeatures.of_arrays(
                {name: state[f"{side}_features.{name}"] for name in ("features", "x", "code")}
            )
            for side in ("item", "user")
        )
        around = {name[7:]: array for name, array in state.items() if name.startswith("around.")}
        self._take(self.train, items, users, Surroundings.of_arrays(around) if around else None)
        self._encoder = self._encoder_of().eval()
        self._encoder.load_state_dict(
            {
                name[8:]: torch.from_numpy(value)
                for name, value in state.items()
                if name.startswith("weights.")
            }
        )

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        seeds, reached = parameters.batch_pairs * 2 + parameters.negatives, 0
        for fanout in read_fanouts(parameters.fanouts):
            seeds = min(seeds * fanout, interactions.n_users + interactions.n_items)
            reached += seeds
        rows = interactions.n_users + interactions.n_items
        return 4 * parameters.dimension * (4 * rows + 12 * reached) + 40 * len(interactions)


def encoded(encoder: BlockEncoder, blocks: PaddedBlocks) -> torch.Tensor:
    """[B, D] – the encoder on one batch, on the device that it is on."""
    device = next(encoder.parameters()).device
    given = blocks.take(encoder.tensors)
    return encoder(*(torch.from_numpy(array).to(device) for array in given.values()))


class _Learner(BatchLearner):
    some_unused = True  # of relations that a batch did not reach

    def __init__(
        self, model: BlockRecommender, interactions: Interactions, validation: Interactions | None
    ) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = PairBatches(interactions, chosen.batch_pairs, 1)
        self.fingerprint = self.batches.fingerprint
        self.encoder = model._encoder
        self.graph, self.temperature = model._graph, chosen.temperature
        self.n_items, self.matrix = interactions.n_items, interactions.matrix
        self.negatives = min(chosen.negatives, self.n_items)
        # The chance of an item to be in C: by the draws, or as the target of one of the pairs.
        share = interactions.item_degrees / max(1, len(interactions))
        absent = (1 - self.negatives / self.n_items) * (1 - share) ** min(
            chosen.batch_pairs, len(interactions)
        )
        self.log_chance = np.log(np.maximum(1 - absent, 1e-9)).astype(np.float32)
        self.model, self.validation = model, validation

    def forward(self, moment: Moment) -> torch.Tensor:
        batches, size = self.batches, self.batches.size
        chosen = moment.shared[moment.step * size : (moment.step + 1) * size][moment.rank :: moment.world]
        users, items = batches.users[chosen], batches.items[chosen]
        drawn = moment.rng.choice(self.n_items, self.negatives, replace=False)
        candidates, known = np.unique(np.r_[items, drawn]), np.unique(users)
        target, row = np.searchsorted(candidates, items), np.searchsorted(known, users)
        left_out = np.sort(users * self.n_items + items)
        seed = int(moment.rng.integers(0, 2**62))
        blocks = self.graph.batch(known, candidates, seed, left_out=left_out)
        found = encoded(self.encoder, blocks)
        e, u = found[: len(candidates)], found[len(candidates) :]
        scores = u @ e.t() / self.temperature  # [known, C]
        own = self.matrix[known][:, candidates].toarray() > 0
        hidden = torch.from_numpy(own).to(moment.device)
        chance = torch.from_numpy(self.log_chance[candidates]).to(moment.device)
        others = torch.logsumexp((scores - chance).masked_fill(hidden, -torch.inf), dim=1)
        row, target = (torch.from_numpy(part).to(moment.device) for part in (row, target))
        positive = scores[row, target]
        weight = torch.from_numpy(batches.weights[chosen]).to(moment.device)
        loss = torch.logaddexp(positive, others[row]) - positive
        return (loss * weight).sum() / weight.sum()

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._users, self.model._items = self.model.vectors()
        return validation_figures(self.model, self.validation)
