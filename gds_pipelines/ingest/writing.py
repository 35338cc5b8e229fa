"""Writes a plan: constraints and indexes, then nodes, then relationships, in batches that can be repeated.

Every batch is one transaction that locks its sources, reads what they have and creates what is missing, so a
run that was killed and started again, a batch whose answer was lost, and a second run all end in the same
graph.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, TypeVar

import neo4j
import numpy as np
import pyarrow as pa
from neo4j.exceptions import DriverError, Neo4jError
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.ingest.gathered import NodeSet, RelationshipSet
from gds_pipelines.ingest.plan import Plan
from gds_pipelines.queries import query

BATCH = 10_000
# A database that was restarted answers again within this time.
RETRY_SECONDS = 120

Progress = Callable[[str, int, int], None]
"""Called as (what, rows done, rows in all), from any thread, one call at a time."""
T = TypeVar("T")


def write(plan: Plan, connection: Connection, progress: Progress | None = None, *, sessions: int = 2) -> None:
    """Writes all of `plan` and fills in the counts of its report.

    Args:
        progress: told about every batch.
        sessions: 1 or 2 at work at the same time; they never touch the same node.
    Raises:
        InvalidInput: the database has something that does not go with the plan; nothing was written.
        Neo4jError, DriverError: the database refused or was gone for more than two minutes; run again to go
        on.
    """
    writer = _Writer(connection, progress or (lambda what, done, total: None), sessions)
    writer.prepare(plan)
    for nodes in plan.nodes.values():
        writer.write_nodes(nodes)
    for relationships in plan.relationships:
        writer.write_relationships(relationships, plan.nodes)
    connection.execute("CALL db.awaitIndexes(600)")
    plan.report.written = True


class _Writer:
    def __init__(self, connection: Connection, progress: Progress, sessions: int) -> None:
        self.connection, self.sessions = connection, sessions
        self.progress, self.progress_lock = progress, Lock()
        self.stop = Event()

    def prepare(self, plan: Plan) -> None:
        """Constraints on all keys, indexes where the mapping wants them; checked before anything is made."""
        faults = [fault for nodes in plan.nodes.values() for fault in self._other_key_type(nodes)]
        if faults:
            raise InvalidInput("The data does not go with what is in the database", faults)
        for nodes in plan.nodes.values():
            try:
                self.connection.execute(query("create_key_constraint", label=nodes.label, key=nodes.key))
            except Neo4jError as error:
                raise _constraint_fault(error, nodes) from error
            for name in nodes.indexes:
                self.connection.execute(query("create_property_index", label=nodes.label, property=name))

    def _other_key_type(self, nodes: NodeSet) -> Iterator[str]:
        found = self.connection.execute(query("find_key_type", label=nodes.label, key=nodes.key))
        ours = "INTEGER" if pa.types.is_integer(nodes.keys.type) else "STRING"
        theirs = found[0]["type"].split()[0] if found else ours
        if theirs != ours:
            yield (
                f"the keys {nodes.label}.{nodes.key} there are {theirs}, "
                f"those of the files {ours}; 42 and '42' are "
                f"two nodes. Give nodes.{nodes.label}.type in a mapping: '{theirs.lower()}'"
            )

    def write_nodes(self, nodes: NodeSet) -> None:
        """All nodes of one label, in the order of their keys."""
        text = query("merge_nodes", label=nodes.label, key=nodes.key)
        total = len(nodes.keys)
        with self.connection.session() as session:
            for start in range(0, total, BATCH):
                part = slice(start, min(start + BATCH, total))
                rows = list(zip(nodes.keys[part].to_pylist(), _maps(nodes.properties, part), strict=True))
                counters = _repeated(
                    session, lambda tx, rows=rows: tx.run(text, rows=rows).consume().counters
                )
                nodes.report.created += counters.nodes_created
                self._tell(f":{nodes.label}", part.stop, total)

    def write_relationships(self, one: RelationshipSet, nodes: dict[str, NodeSet]) -> None:
        """All relationships of one type between two labels.

        Two sessions work on blocks that share no node: source and target are halved by the parity of their
        position, and the blocks (even, even) and (odd, odd) go together, then (even, odd) and (odd, even).
        So they cannot wait for each other, let alone block each other. Within one label the last two share
        nodes and follow one another.
        """
        work = _Work(one, nodes, self.connection, self.stop)
        done, total = 0, len(one.source)

        def run(block: NDArray[np.int64]) -> None:
            nonlocal done
            with self.connection.session() as session:
                for batch in _batches(one.source, block):
                    if self.stop.is_set():
                        return
                    counts = _repeated(session, lambda tx, batch=batch: work.write(tx, batch))
                    with self.progress_lock:
                        one.report.created += counts.created
                        one.report.existing += counts.existing
                        one.report.updated += counts.updated
                        done += len(batch)
                        self.progress(one.type, done, total)

        halves = [
            [np.flatnonzero((one.source % 2 == s) & (one.target % 2 == t)) for t in (0, 1)] for s in (0, 1)
        ]
        rounds = [(halves[0][0], halves[1][1]), (halves[0][1], halves[1][0])]
        if one.source_label == one.target_label:
            rounds[1:] = [(halves[0][1],), (halves[1][0],)]
        if self.sessions == 1 or total <= BATCH:
            rounds = [(np.arange(total),)]
        for blocks in rounds:
            self._together(run, blocks)

    def _together(
        self, run: Callable[[NDArray[np.int64]], None], blocks: tuple[NDArray[np.int64], ...]
    ) -> None:
        if len(blocks) == 1:
            run(blocks[0])
            return
        with ThreadPoolExecutor(len(blocks)) as pool:
            try:
                futures = [pool.submit(run, block) for block in blocks]
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # Whatever ended the wait, an error or Ctrl-C: the other session ends after its batch.
                if not all(future.done() and not future.exception() for future in futures):
                    self.stop.set()
            for future in futures:
                future.result()

    def _tell(self, what: str, done: int, total: int) -> None:
        with self.progress_lock:
            self.progress(what, done, total)


@dataclass(frozen=True)
class _Counts:
    created: int
    existing: int
    updated: int


class _Work:
    """Writes batches of one relationship set; safe in several threads."""

    def __init__(
        self, one: RelationshipSet, nodes: dict[str, NodeSet], connection: Connection, stop: Event
    ) -> None:
        source, target = nodes[one.source_label], nodes[one.target_label]
        names = {
            "type": one.type,
            "source": source.label,
            "sourceKey": source.key,
            "target": target.label,
            "targetKey": target.key,
        }
        self.one, self.source_keys, self.target_keys = one, source.keys, target.keys
        self.read, self.create, self.update = (
            query(f"{verb}_relationships", **names) for verb in ("read", "create", "update")
        )

    def write(self, tx: neo4j.Transaction, batch: NDArray[np.int64]) -> _Counts:
        """One batch: positions in the set, ascending by source."""
        one, take = self.one, pa.array(batch)
        sources = self.source_keys.take(pa.array(one.source[batch])).to_pylist()
        targets = self.target_keys.take(pa.array(one.target[batch])).to_pylist()
        maps = _maps(
            {name: values.take(take) for name, values in one.properties.items()}, slice(0, len(batch))
        )
        wanted = set(sources)
        existing: dict[Any, dict[tuple, dict[str, Any]]] = {}
        for source, found in tx.run(self.read, sources=list(wanted)):
            existing[source] = {self._identity(target, values): values for target, values in found}
        groups: list[tuple[Any, list[tuple[Any, dict[str, Any]]]]] = []
        updates: list[tuple[Any, Any, dict[str, Any], dict[str, Any]]] = []
        for source, target, values in zip(sources, targets, maps, strict=True):
            there = existing.get(source)
            old = there.get(self._identity(target, values)) if there else None
            if old is None:
                if not groups or groups[-1][0] != source:
                    groups.append((source, []))
                groups[-1][1].append((target, values))
            elif any(old.get(name) != value for name, value in values.items()):
                updates.append((source, target, {name: values.get(name) for name in one.identity}, values))
        created = sum(len(rows) for _, rows in groups)
        if groups:
            self._expect(tx.run(self.create, groups=groups).single(strict=True)["written"], created)
        if updates:
            tx.run(self.update, rows=updates).consume()
        return _Counts(created, len(batch) - created, len(updates))

    def _identity(self, target: Any, values: dict[str, Any]) -> tuple:
        found = (values.get(name) for name in self.one.identity)
        return (target, *(tuple(value) if isinstance(value, list) else value for value in found))

    def _expect(self, written: int, wanted: int) -> None:
        if written != wanted:
            raise PipelineError(
                f"Of {wanted} relationships {self.one.type} only {written} "
                "could be written: nodes were deleted "
                "meanwhile. Nothing of this batch was kept; run the ingest again."
            )


def _batches(source: NDArray[np.int64], block: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """At most BATCH positions at a time; a source is in two only where it has more than BATCH."""
    start = 0
    while start < len(block):
        end = min(start + BATCH, len(block))
        if end < len(block):
            cut = start + int(np.searchsorted(source[block[start:end]], source[block[end]]))
            end = cut if cut > start else end
        yield block[start:end]
        start = end


def _maps(columns: dict[str, pa.Array], part: slice) -> list[dict[str, Any]]:
    """One map of the present values per row."""
    if not columns:
        return [{} for _ in range(part.stop - part.start)]
    values = zip(*(column[part].to_pylist() for column in columns.values()), strict=True)
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None} for row in values
    ]


def _repeated(session: neo4j.Session, work: Callable[[neo4j.Transaction], T]) -> T:
    """`work` in a transaction of its own, again after errors that pass: a deadlock, a restart."""

    def once() -> T:
        with session.begin_transaction() as tx:
            result = work(tx)
            tx.commit()
            return result

    retrying = Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, DriverError | Neo4jError) and e.is_retryable()),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(RETRY_SECONDS),
        reraise=True,
    )
    return retrying(once)


def _constraint_fault(error: Neo4jError, nodes: NodeSet) -> PipelineError:
    label, key = nodes.label, nodes.key
    if "IndexAlreadyExists" in (error.code or ""):
        what = (
            f"a plain index stands on {label}.{key}; find its name with "
            "SHOW INDEXES and drop it, the constraint has one"
        )
    elif "ConstraintCreationFailed" in (error.code or ""):
        what = (
            f"several nodes have one key; find them with MATCH (n:`{label}`) "
            f"WITH n.`{key}` AS key, count(*) AS nodes "
            "WHERE nodes > 1 RETURN key, nodes, and delete or merge them"
        )
    else:
        what = error.message or str(error)
    return InvalidInput(f"{label}.{key} cannot be made unique", [what])
