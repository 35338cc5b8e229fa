"""What may stand in a manifest: whole and finite numbers, and maps with the keys that are known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def is_int(value: Any, low: int, high: int) -> bool:
    """An integer in [low, high]; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(value: Any) -> bool:
    """A finite number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def key_faults(value: Mapping[str, Any], known: Sequence[str], at: str) -> list[str]:
    """Keys of ``known`` that ``value`` lacks, and those it has beyond them; ``at`` says where it stands."""
    missing = [f"{at} lacks '{key}'" for key in known if key not in value]
    return missing + [
        f"{at} has the unknown key '{key}'; known: {', '.join(known)}" for key in value if key not in known
    ]
