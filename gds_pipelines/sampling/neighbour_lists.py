"""The lists that the receivers of one relation draw from.

Shapes: n = receivers, K = fan-out. Nodes are indices within their type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import draws
from gds_pipelines.errors import InvalidInput
from gds_pipelines.graph_data import GraphData, RelationTable, offsets_of
from gds_pipelines.sampling.plan import Plan, Relation


@dataclass
class NeighbourLists:
    """The lists of one relation, one after another.

    Attributes:
        offsets: [receivers + 1].
        senders: indices, each once in a list; ascending, or newest first where ``times`` is not None.
        weights: None draws uniformly.
        times: -inf where missing.
        properties: those that are carried along.
    """

    offsets: NDArray[np.int64]
    senders: NDArray[np.int32]
    weights: NDArray[np.float64] | None
    times: NDArray[np.float64] | None
    properties: list[NDArray[np.float64]]

    @classmethod
    def of(cls, graph: GraphData, relation: Relation, plan: Plan, keys: Sequence[str]) -> NeighbourLists:
        """The lists of a relation; empty ones where the graph has no relationship of it.

        Args:
            keys: properties to carry along.
        Raises:
            InvalidInput: the weight is not there, or not finite and above 0 everywhere.
            UnknownName: a property of ``keys`` is not there.
        """
        receivers_count = len(graph.nodes[relation.receiver])
        table = graph.relations.get(relation.stored)
        if table is None:
            return cls(
                np.zeros(receivers_count + 1, np.int64),
                np.empty(0, np.int32),
                None,
                None,
                [np.empty(0) for _ in keys],
            )
        if plan.weight and plan.weight not in table.properties:
            raise InvalidInput(
                "The neighbourhoods cannot be drawn",
                [f"{relation.name} has no property '{plan.weight}' to weigh by; leave that relation out."],
            )
        carried = {key: table.property(key) for key in keys}
        values = carried | {
            key: table.properties[key] for key in (plan.weight, plan.time) if key and key in table.properties
        }
        receivers, senders, values = _reduced(table, relation.direction, values)
        weights, times = values.get(plan.weight or ""), values.get(plan.time or "")
        if weights is not None and not (np.isfinite(weights) & (weights > 0)).all():
            raise InvalidInput(
                "The neighbourhoods cannot be drawn",
                [f"{relation.name} has weights '{plan.weight}' that are missing, infinite or not above 0."],
            )
        if times is not None:
            times = np.where(np.isnan(times), -np.inf, times)
            order = np.lexsort((senders, -times, receivers))
            senders, times = senders[order], times[order]
            weights = None if weights is None else weights[order]
            values = {key: column[order] for key, column in values.items()}
        return cls(
            offsets_of(np.bincount(receivers, minlength=receivers_count)),
            senders,
            weights,
            times,
            [values[key] for key in keys],
        )

    def draw(
        self,
        plan: Plan,
        place: int,
        hop: int,
        numbers: NDArray[np.int64],
        ids: NDArray[np.int64],
        before: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which receiver drew, at which positions of all lists, by receiver, then draw; and [n] degrees.

        Args:
            numbers, ids: [n] indices and Neo4j ids of the receivers.
            before: [n] – only older ones are in the list.
        """
        fan_out = plan.fan_outs[place][hop - 1]
        start, end = self.offsets[numbers], self.offsets[numbers + 1]
        if self.times is not None and before is not None:
            start = _first_older(self.times, start, end, before)
        degree = end - start
        if self.times is not None and plan.last and len(self.times):
            timed = (degree > 0) & (self.times[np.minimum(start, len(self.times) - 1)] > -np.inf)
            end = np.where(timed, np.minimum(end, start + plan.last), end)
        among = end - start
        count = np.minimum(among, fan_out)
        which = np.repeat(np.arange(len(numbers)), count)
        ends = np.cumsum(count)
        begin = ends - count
        position = np.arange(len(which)) - begin[which] + start[which]
        large = np.flatnonzero(among > fan_out) if fan_out else np.empty(0, np.int64)
        if len(large):
            prefix = draws.hash64(plan.random_seed, ids[large], hop, place)
            picked = self._pick(plan.replace, prefix, start[large], among[large], fan_out)
            position[begin[large][:, None] + np.arange(fan_out)] = start[large][:, None] + picked
        return which, position, degree

    def _pick(
        self,
        replace: bool,
        prefix: NDArray[np.uint64],
        start: NDArray[np.int64],
        degree: NDArray[np.int64],
        fan_out: int,
    ) -> NDArray[np.int64]:
        """[n, K] positions in lists that are longer than K."""
        if self.weights is not None:
            pick = draws.repeated_by_weight if replace else draws.distinct_by_weight
            return pick(prefix, self.weights, start, degree, fan_out)
        pick = draws.repeated if replace else draws.distinct
        return pick(prefix, degree, fan_out)


def _reduced(
    table: RelationTable, direction: str, values: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.int32], NDArray[np.int32], dict[str, NDArray[np.float64]]]:
    """Receivers, senders and values by ascending (receiver, sender); a pair once, with its largest values."""
    receivers, senders = table.sources, table.targets
    if direction == "out":
        # The table ascends by (source, target): stable order by target makes (target, source).
        order = np.argsort(table.targets, kind="stable")
        receivers, senders = table.targets[order], table.sources[order]
        values = {key: column[order] for key, column in values.items()}
    if len(receivers) == 0:
        return receivers, senders, dict(values)
    first = np.flatnonzero(np.r_[True, (receivers[1:] != receivers[:-1]) | (senders[1:] != senders[:-1])])
    # fmax passes over NaN: a missing value is below all numbers.
    largest = {key: np.fmax.reduceat(column, first) for key, column in values.items()}
    return receivers[first], senders[first], largest


def _first_older(
    times: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64], before: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The first position in each [start, end) whose time is before the cut; times descend."""
    low, high = start.copy(), end.copy()
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        older = np.zeros(len(low), np.bool_)
        older[open_] = times[middle[open_]] < before[open_]
        high = np.where(open_ & older, middle, high)
        low = np.where(open_ & ~older, middle + 1, low)
    return low
