"""How much of the machine the embedded server takes.

Heap is a quarter of what this process may use, page cache an eighth, both within bounds; the rest is for the
trainer, which runs on the same machine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from gds_pipelines.errors import PipelineError

MEBIBYTE = 1024 * 1024
_UNITS = {"": 1, "k": 1024, "m": MEBIBYTE, "g": 1024 * MEBIBYTE, "t": 1024 * 1024 * MEBIBYTE}
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Memory:
    """Heap and page cache of the server, in MiB."""

    heap: int
    page_cache: int


def memory_for(total: int) -> Memory:
    """The shares of a machine with ``total`` bytes: heap 512 MiB to 16 GiB, page cache 128 MiB to 8 GiB."""
    mebibytes = total // MEBIBYTE
    return Memory(
        heap=min(max(mebibytes // 4, 512), 16 * 1024),
        page_cache=min(max(mebibytes // 8, 128), 8 * 1024),
    )


def own_memory(default: Memory, own: Mapping[str, str]) -> Memory:
    """``default`` with what a person has set in ``own.conf``, by Neo4j's names and in its units.

    Raises:
        PipelineError: if a size cannot be read.
    """
    return Memory(
        heap=_mebibytes(own, "server.memory.heap.max_size", default.heap),
        page_cache=_mebibytes(own, "server.memory.pagecache.size", default.page_cache),
    )


def _mebibytes(own: Mapping[str, str], name: str, default: int) -> int:
    value = own.get(name)
    if value is None:
        return default
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", value.strip().lower())
    if match is None:
        raise PipelineError(f"own.conf: {name} is '{value}', which is no size. Write for example 2g or 512m.")
    return max(1, round(float(match[1]) * _UNITS[match[2]] / MEBIBYTE))


def usable_memory() -> int:
    """Bytes this process may use: the machine's memory, or the container's limit where that is lower."""
    total = psutil.virtual_memory().total
    for path in _CGROUP_LIMITS:
        try:
            limit = path.read_text().strip()
        except OSError:
            continue
        if limit.isdigit() and 0 < int(limit) < total:
            return int(limit)
    return total
