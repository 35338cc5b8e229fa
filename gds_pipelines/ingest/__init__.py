"""Data in: files and tables become nodes and relationships of a property graph.

``plan_paths`` and ``plan_tables`` read, check and clean without a database; ``write`` brings the plan into
one.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from gds_pipelines.connection import Connection
from gds_pipelines.ingest.detection import detect
from gds_pipelines.ingest.mapping import IngestMapping
from gds_pipelines.ingest.mapping import read as read_mapping
from gds_pipelines.ingest.plan import Plan, assign, candidates, make_plan
from gds_pipelines.ingest.report import IngestReport
from gds_pipelines.ingest.writing import Progress
from gds_pipelines.ingest.writing import write as write_plan

__all__ = [
    "IngestMapping",
    "IngestReport",
    "Plan",
    "Progress",
    "detect",
    "plan_paths",
    "plan_tables",
    "read_mapping",
    "write",
]


def plan_paths(paths: Iterable[Path], mapping: IngestMapping | None = None) -> Plan:
    """A plan for the files in `paths`, with the mapping that fits them where none is given.

    Raises:
        InvalidInput: all faults of paths, mapping and columns at once.
    """
    files, seen = candidates(paths), None
    if mapping is None:
        mapping, seen = detect(files)
    assigned, unused = assign(files, mapping)
    made = plan_tables(assigned, mapping)
    if seen:
        made.report.notes.append(f"The files were taken for: {seen}.")
    unused = [one for one in unused if not one.name.lower().startswith(("readme", "license"))]
    if unused:
        made.report.notes.append(f"Not read: {', '.join(one.name for one in unused)}.")
    return made


def plan_tables(files: Mapping[str, Sequence[Path | pa.Table]], mapping: IngestMapping) -> Plan:
    """A plan for files or Arrow tables that are assigned to the tables of the mapping already."""
    began = time.perf_counter()
    made = make_plan(files, mapping)
    made.report.seconds["read"] = time.perf_counter() - began
    return made


def write(made: Plan, connection: Connection, progress: Progress | None = None) -> IngestReport:
    """Brings a plan into the database (see `writing.write`); its report, now with what was written."""
    began = time.perf_counter()
    write_plan(made, connection, progress)
    made.report.seconds["write"] = time.perf_counter() - began
    return made.report
