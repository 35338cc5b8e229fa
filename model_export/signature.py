"""The signature of a model: its tensors by name, and the one that a contract fixes."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_export.canonical_json import canonical_json
from model_export.plain_values import is_int, key_faults

DTYPES = ("float32", "int64", "bool")


def signature_of(
    inputs: Sequence[tuple[str, str, Sequence[int | None], str]],
    outputs: Sequence[tuple[str, str, Sequence[int | None], str]],
) -> dict[str, Any]:
    """The ``signature`` map from tuples ``(name, dtype, shape, role)``; a free dimension is None."""

    def entry(item: tuple[str, str, Sequence[int | None], str]) -> dict[str, Any]:
        name, dtype, shape, role = item
        return {"name": name, "dtype": dtype, "shape": list(shape), "role": role}

    return {"inputs": [entry(item) for item in inputs], "outputs": [entry(item) for item in outputs]}


def item_propagation_signature(dimension: int) -> dict[str, Any]:
    """The one signature an ``item-propagation/1`` model may have."""
    return signature_of(
        [
            ("context", "float32", [None, None, dimension], "context"),
            ("weight", "float32", [None, None], "weight"),
            ("degree", "float32", [None], "degree"),
        ],
        [("query", "float32", [None, dimension], "query")],
    )


def sequence_signature(dimension: int) -> dict[str, Any]:
    """The one signature a ``sequence/1`` model may have."""
    return signature_of(
        [
            ("history", "float32", [None, None, dimension], "history"),
            ("mask", "float32", [None, None], "mask"),
            ("gap", "float32", [None, None], "gap"),
        ],
        [("query", "float32", [None, dimension], "query")],
    )


def pair_signature(dimension: int) -> dict[str, Any]:
    """The one signature a ``pair/1`` model may have."""
    return signature_of(
        [
            ("source", "float32", [None, dimension], "source"),
            ("candidate", "float32", [None, None, dimension], "candidate"),
            ("context", "float32", [None, dimension], "context"),
        ],
        [("score", "float32", [None, None], "score")],
    )


ORDERING = {"sequence/1": sequence_signature, "pair/1": pair_signature}
"""Contracts of networks over the vectors of nodes, with the signature each of them fixes."""
FIXED = {"item-propagation/1": item_propagation_signature, **ORDERING}
"""All contracts that leave no choice, with the signature each of them fixes."""


def signature_faults(signature: Any) -> list[str]:
    """What is wrong with ``signature``, whatever the contract."""
    if not isinstance(signature, dict):
        return [f"'signature' must be a map, found {type(signature).__name__}"]
    faults = key_faults(signature, ("inputs", "outputs"), "signature")
    seen: set[str] = set()
    for side in ("inputs", "outputs"):
        entries = signature.get(side, [])
        if not isinstance(entries, list) or not entries:
            faults.append(f"signature.{side} must be a list of at least one tensor")
            continue
        for index, entry in enumerate(entries):
            at = f"signature.{side}[{index}]"
            if not isinstance(entry, dict):
                faults.append(f"{at} must be a map")
                continue
            faults += key_faults(entry, ("name", "dtype", "shape", "role"), at)
            name = entry.get("name")
            if not isinstance(name, str) or not name:
                faults.append(f"{at}.name must be text")
            elif name in seen:
                faults.append(f"{at}.name '{name}' stands twice")
            else:
                seen.add(name)
            if entry.get("dtype") not in DTYPES:
                faults.append(f"{at}.dtype must be one of {', '.join(DTYPES)}, found {entry.get('dtype')!r}")
            shape = entry.get("shape")
            if not isinstance(shape, list) or not all(d is None or is_int(d, 1, 2**31 - 1) for d in shape):
                faults.append(f"{at}.shape must be a list of positive integers or null, found {shape!r}")
            if not isinstance(entry.get("role"), str):
                faults.append(f"{at}.role must be text")
    return faults


def fixed_faults(manifest: Mapping[str, Any]) -> list[str]:
    """Whether a signature that is right by itself is the one of its contract."""
    contract = manifest["contract"]
    if contract not in FIXED:
        return []
    wanted = FIXED[contract](manifest["dimension"])
    if canonical_json(manifest["signature"]) == canonical_json(wanted):
        return []
    names = [", ".join(entry["name"] for entry in wanted[side]) for side in ("inputs", "outputs")]
    return [f"the signature is not the one of {contract}: {names[0]} in; {names[1]} out"]


def by_name(signature: Any, side: str) -> dict[str, dict[str, Any]] | None:
    """The tensors of one side by name; None where the signature is faulty."""
    if not isinstance(signature, dict) or signature_faults(signature):
        return None
    return {entry["name"]: entry for entry in signature[side]}
