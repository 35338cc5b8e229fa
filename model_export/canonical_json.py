"""Canonical JSON: one spelling for a value, so that its hash is the same in every language.

The rules are those of ``docs/formats.md`` section 2.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

from model_export.errors import ArtefactError
from model_export.parts import MANIFEST_FILE


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with keys sorted by code point, no blanks, no escapes but the needed ones.

    Raises:
        ArtefactError: on NaN, infinities, keys that are not text, lone surrogates, foreign types.
    """
    faults = list(_not_json(value, "$"))
    if faults:
        raise ArtefactError("This cannot be written as canonical JSON", faults)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _not_json(value: Any, at: str) -> Iterator[str]:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            yield f"{at} is {value}, outside the 64-bit integers"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{at} is {value}; JSON has finite numbers only"
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield f"{at} holds half a surrogate pair, which UTF-8 cannot carry"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _not_json(item, f"{at}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"{at} has the key {key!r}, which is not text"
                continue
            yield from _not_json(key, f"{at} key")
            yield from _not_json(item, f"{at}.{key}")
    else:
        yield f"{at} is of type {type(value).__name__}; use numbers, text, booleans, null, lists and maps"


def parse_canonical(data: bytes) -> dict[str, Any]:
    """The inverse of :func:`canonical_json`; refuses any other spelling of the same value.

    Raises:
        ArtefactError: if the bytes are not UTF-8, not JSON, repeat a key, are no map, or are not canonical.
    """
    what = f"{MANIFEST_FILE} is refused"

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
        if repeated:
            raise ArtefactError(what, [f"the key '{key}' stands twice in one map" for key in repeated])
        return dict(pairs)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ArtefactError(what, ["it is nested too deeply"]) from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ArtefactError(what, [f"it is not JSON in UTF-8: {error}"]) from None
    if not isinstance(value, dict):
        raise ArtefactError(what, [f"a map is expected, found {type(value).__name__}"])
    if canonical_json(value) != data:
        raise ArtefactError(
            what, ["it is not canonical JSON (keys sorted by code point, no blanks, shortest numbers)"]
        )
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def sha256_hex(data: bytes | memoryview) -> str:
    """64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
