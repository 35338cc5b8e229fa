"""How much of the machine the embedded server takes.

Heap is a quarter of what this process may use, page cache an eighth, both within bounds; the rest is for the
trainer, which runs on the same machine.
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

MEBIBYTE = 1024 * 1024
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
