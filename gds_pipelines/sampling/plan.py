"""What is drawn: relations, fan-outs, and the rules for the draws."""

from __future__ import annotations

from dataclasses import dataclass

from gds_pipelines.errors import InvalidInput


@dataclass(frozen=True)
class Relation:
    """Receivers draw among senders; ``out``: the relationships leave the sender."""

    sender: str
    type: str
    receiver: str
    direction: str = "out"

    @property
    def name(self) -> str:
        """As docs/formats.md writes it."""
        arrow = f"-[{self.type}]->" if self.direction == "out" else f"<-[{self.type}]-"
        return f"({self.sender}){arrow}({self.receiver})"

    @property
    def edge_type(self) -> tuple[str, str, str]:
        """PyG's name: a relation read against its direction is called ``rev_<TYPE>``."""
        return self.sender, self.type if self.direction == "out" else f"rev_{self.type}", self.receiver

    @property
    def stored(self) -> tuple[str, str, str]:
        """Source, type and target of the relationships as they lie in the projection."""
        ends = (self.sender, self.receiver)
        source, target = ends if self.direction == "out" else ends[::-1]
        return source, self.type, target

    @property
    def reverse(self) -> Relation:
        """The same relationships read the other way."""
        return Relation(self.receiver, self.type, self.sender, "in" if self.direction == "out" else "out")


@dataclass(frozen=True)
class Plan:
    """What is drawn.

    Attributes:
        node_types: all types of the graph, in the order of n0, n1, …
        relations: in the order of r0, r1, …
        fan_outs: [relation][hop], 0 to 10,000.
        weight: a relationship property that every relation has.
        time: a relationship property; relations without it are untimed.
        last: only so many newest neighbours are drawn from; 0 means all.
    """

    node_types: tuple[str, ...]
    relations: tuple[Relation, ...]
    fan_outs: tuple[tuple[int, ...], ...]
    random_seed: int = 0
    replace: bool = False
    weight: str | None = None
    time: str | None = None
    last: int = 0

    def __post_init__(self) -> None:
        faults = []
        if len({len(hops) for hops in self.fan_outs}) > 1 or not self.fan_outs or not self.fan_outs[0]:
            faults.append("every relation needs a fan-out for each of the same number of hops, at least one.")
        faults += [
            f"{relation.name} has fan-out {wrong[0]}; it must lie in [0, 10000]."
            for relation, hops in zip(self.relations, self.fan_outs, strict=True)
            if (wrong := [fan_out for fan_out in hops if not 0 <= fan_out <= 10_000])
        ]
        faults += [
            f"{relation.name} ends at '{end}', none of {', '.join(self.node_types)}."
            for relation in self.relations
            for end in (relation.sender, relation.receiver)
            if end not in self.node_types
        ]
        if self.last < 0 or (self.last and self.time is None):
            faults.append(f"last is {self.last}; it must be at least 1 and needs a time property.")
        if not -(2**63) <= self.random_seed < 2**63:
            faults.append(f"random_seed is {self.random_seed}; it must fit into 64 bits.")
        if faults:
            raise InvalidInput("The neighbourhoods cannot be drawn", faults)

    @property
    def hops(self) -> int:
        """L, the same for every relation."""
        return len(self.fan_outs[0])
