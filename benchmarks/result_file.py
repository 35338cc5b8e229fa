"""One result file a benchmark: JSON of one shape, from which RESULTS.md is made.

``{"title", "command", "machine", "date", "note", "rows": [{column: value}]}``; rows are shown in the order
they stand in, columns in the order of the first row.
"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def machine() -> str:
    """What ran it, in words: processor, cores, memory, and the GPU where one is used."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / 2**30
    text = f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()}"
    import torch

    return f"{text}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else text


def load() -> str:
    """How busy the machine is now, in words for a note; asked before the work begins."""
    return f"load when it began: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


def write(
    path: Path, title: str, command: str, rows: Sequence[Mapping[str, Any]], note: str = "", **more: Any
) -> Path:
    """Write one result file.

    Args:
        path: below ``benchmarks/``.
        command: what anyone types to make it again.
        note: conditions a reader must know.
        more: further keys for plots; not shown in RESULTS.md.
    """
    content = {
        "title": title,
        "command": command,
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": _revision(),
        "note": note,
        "rows": [dict(row) for row in rows],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _revision() -> str:
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
