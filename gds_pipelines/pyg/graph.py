"""A projection, or a graph in memory, as what PyG's loaders take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import GraphData, RelationTable
from gds_pipelines.graph_reader import Sessions, read_graph
from gds_pipelines.negatives import Positives
from gds_pipelines.pyg.feature_store import PropertyStore
from gds_pipelines.pyg.graph_store import RelationStore
from gds_pipelines.pyg.projection_sampling import ProjectionNeighbourhoods
from gds_pipelines.pyg.relationship_values import RelationshipValues
from gds_pipelines.pyg.sampler import EdgeType, NeighbourhoodSampler
from gds_pipelines.sampling.graph_neighbourhoods import GraphNeighbourhoods
from gds_pipelines.sampling.neighbourhood import NeighbourhoodSource
from gds_pipelines.sampling.plan import Plan, Relation

FanOuts = Sequence[int] | Mapping[EdgeType, Sequence[int]]


class PygGraph:
    """A graph for ``NodeLoader`` and ``LinkLoader``.

    Attributes:
        features: the ``FeatureStore``.
        edges: the ``GraphStore``. Each relation is there in both directions, against its own as
            ``rev_<TYPE>``.

    Example:
        >>> graph = PygGraph.of_projection(connection, "shop", features={"Item": ["price"]})
        >>> loader = NodeLoader(
        ...     (graph.features, graph.edges), node_sampler=graph.sampler([15, 10]), input_nodes="Item"
        ... )
    """

    def __init__(
        self,
        data: GraphData,
        features: Mapping[str, Sequence[str]] | None = None,
        *,
        projection: tuple[Sessions, Sequence[str]] | None = None,
    ) -> None:
        """Wraps what ``read_graph`` or ``open_graph`` gave; neighbourhoods are drawn in memory.

        Args:
            features: properties by node type that stand side by side in ``x``, float32; the other
                properties are tensors of their own names.
        Raises:
            UnknownName: for a type or property that was not read.
            InvalidInput: for features with missing values or lists that differ in length, and where
                a type is already called as a reversed one would be.
        """
        self.data = data
        self._projection = projection
        self.counts = {name: len(table) for name, table in data.nodes.items()}
        self.relations = _relations(data)
        self._values = RelationshipValues(data.relations)
        self.features = PropertyStore(_makers(data, features or {}))
        self.edges = RelationStore(self.relations, self.counts, self._table)

    @classmethod
    def of_projection(
        cls,
        connection: Sessions,
        graph_name: str,
        features: Mapping[str, Sequence[str]] | None = None,
        *,
        label_priority: Sequence[str] = (),
        node_properties: Sequence[str] | None = None,
        relationship_properties: Sequence[str] = (),
        in_database: bool | None = None,
        into: Path | None = None,
        progress: bool = False,
    ) -> PygGraph:
        """Reads a projection once; neighbourhoods are drawn on the server.

        Args:
            node_properties: None means all.
            in_database: whether ``gnn.graph.sample`` draws. None asks the server whether it has that
                procedure; where it has not, neighbourhoods are drawn in memory, the same ones.
            into: an empty directory for memory-mapped arrays, for graphs larger than memory.
        Raises:
            As ``read_graph`` and this class.
        """
        data = read_graph(
            connection,
            graph_name,
            label_priority=label_priority,
            node_properties=node_properties,
            relationship_properties=relationship_properties,
            into=into,
            progress=progress,
        )
        if in_database is None:
            in_database = has_sampling(connection)
        return cls(data, features, projection=(connection, label_priority) if in_database else None)

    def sampler(
        self,
        num_neighbors: FanOuts,
        *,
        random_seed: int = 0,
        replace: bool = False,
        weight: str | None = None,
        time: str | None = None,
        last: int = 0,
        keep_targets: bool = False,
        also_hide: Sequence[EdgeType] = (),
        edge_ids: bool = False,
        concurrency: int | None = None,
    ) -> NeighbourhoodSampler:
        """PyG's sampler.

        Args:
            num_neighbors: drawn at hop 1, 2, …, of every relation, or by edge type. An edge type that is
                left out is not walked.
            weight, time: relationship properties; with a time, loaders may give one per seed and only
                what is older is drawn.
            last: draw among so many newest; 0 means all.
            keep_targets, also_hide: see ``NeighbourhoodSampler``.
            edge_ids: batches have ``e_id``, rows of ``data.relations``; ``edge_attr`` needs them.
            concurrency: threads of the server.
        Raises:
            InvalidInput: for what cannot be drawn, all faults at once.
        """
        plan = self.plan(
            num_neighbors, random_seed=random_seed, replace=replace, weight=weight, time=time, last=last
        )
        return NeighbourhoodSampler(
            self.source(plan, concurrency),
            self.counts,
            self.positives,
            keep_targets=keep_targets,
            also_hide=also_hide,
            random_seed=random_seed,
            number=self._values.rows if edge_ids else None,
        )

    def edge_attr(self, names: Sequence[str]) -> Callable[[Data | HeteroData], Data | HeteroData]:
        """A ``transform`` for PyG's loaders: ``edge_attr`` [E, F] from relationship properties.

        Needs a sampler with ``edge_ids=True``. A relation against its own has the same properties.

        Args:
            names: F properties that were read; NaN where a relationship lacks one. Edge types that have
                none of them get nothing.
        Raises:
            UnknownName: for a property that was not read.
            InvalidInput: for a graph of one node type with several relationship types, whose edges PyG
                does not tell apart.
        """
        return self._values.attach(names)

    def plan(self, num_neighbors: FanOuts, **options: Any) -> Plan:
        """What ``num_neighbors`` means here; ``options`` are those of ``Plan``."""
        if not isinstance(num_neighbors, Mapping):
            fan_outs = {relation.edge_type: tuple(num_neighbors) for relation in self.relations}
        else:
            fan_outs = {tuple(edge_type): tuple(hops) for edge_type, hops in num_neighbors.items()}
        known = {relation.edge_type: relation for relation in self.relations}
        for edge_type in fan_outs:
            if edge_type not in known:
                raise UnknownName("edge type", str(edge_type), map(str, known))
        chosen = [relation for relation in self.relations if relation.edge_type in fan_outs]
        return Plan(
            tuple(self.counts),
            tuple(chosen),
            tuple(fan_outs[relation.edge_type] for relation in chosen),
            **options,
        )

    def source(
        self,
        plan: Plan,
        concurrency: int | None = None,
        relationship_properties: Sequence[Sequence[str]] | None = None,
    ) -> NeighbourhoodSource:
        """What draws: the server, or this process.

        Args:
            relationship_properties: carried along with padded blocks, by place of the relation.
        """
        if self._projection is None:
            return GraphNeighbourhoods(self.data, plan, relationship_properties)
        connection, label_priority = self._projection
        return ProjectionNeighbourhoods(
            connection,
            self.data.name,
            plan,
            {name: table.node_ids for name, table in self.data.nodes.items()},
            label_priority=label_priority,
            concurrency=concurrency,
        )

    def positives(self, source: str, target: str) -> Positives:
        """All pairs of two node types, over all relations between them in either direction."""
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for (first, _, second), table in self.data.relations.items():
            if (first, second) == (source, target):
                parts.append((table.sources, table.targets))
            if (second, first) == (source, target):
                parts.append((table.targets, table.sources))
        users = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
        items = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
        return Positives(users, items, self.counts[source], self.counts[target])

    def _table(self, key: tuple[str, str, str]) -> RelationTable | None:
        return self.data.relations.get(key)


def has_sampling(connection: Sessions) -> bool:
    """Whether the server has ``gnn.graph.sample``."""
    query = "SHOW PROCEDURES YIELD name WHERE name = 'gnn.graph.sample' RETURN count(*) AS found"
    with connection.session() as session:
        return bool(session.run(query).single(strict=True)["found"])


def _relations(data: GraphData) -> list[Relation]:
    """Those of ``gnn.graph.sample``: ascending by (type, sender, receiver), ``out`` before ``in``."""
    stored = [Relation(source, type_, target) for source, type_, target in data.relations]
    both = [found for relation in stored for found in (relation, relation.reverse)]
    both.sort(key=lambda found: (found.type, found.sender, found.receiver, found.direction == "in"))
    names = [relation.edge_type for relation in both]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            "The graph cannot be read by PyG",
            [
                f"two relations would be called {name}; project that type under another name."
                for name in twice
            ],
        )
    return both


def _makers(data: GraphData, features: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], Any]:
    data.check_features(features)
    makers: dict[tuple[str, str], Any] = {}
    for type_, table in data.nodes.items():
        chosen = list(features.get(type_, ()))
        if chosen:
            makers[type_, "x"] = lambda table=table, chosen=chosen: data.feature_matrix(table.name, chosen)
        for key, column in table.columns.items():
            if key not in chosen and column.offsets is None:
                makers[type_, key] = lambda column=column: _whole(column.values)
    return makers


def _whole(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values if values.flags.writeable else np.array(values))
