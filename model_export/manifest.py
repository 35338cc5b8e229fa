"""The manifest of an artefact: its keys and their checks.

The bytes are fixed by ``docs/formats.md`` section 2. The SHA-256 of a model is
the SHA-256 of its ``manifest.json``; the manifest pins every other file, so
one number names all the bytes.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from model_export.block_faults import block_faults
from model_export.block_schema import CONTRACT as PADDED_BLOCKS
from model_export.golden import golden_faults
from model_export.parts import CONTRACTS, MODEL_FILE, part_faults
from model_export.plain_values import is_int, is_number, key_faults
from model_export.schema import schema_faults, schema_hash, schema_hash_faults
from model_export.signature import fixed_faults, signature_faults

FORMAT = 1
SIMILARITIES = ("dot", "cosine")

_REQUIRED = (
    "format",
    "contract",
    "model",
    "createdAt",
    "gnn4jVersion",
    "schema",
    "schemaSha256",
    "task",
    "training",
    "metrics",
    "parts",
)
_WITH_MODEL = ("signature", "golden")
_ALL_KEYS = (*_REQUIRED, *_WITH_MODEL, "dimension", "similarity", "propagation", "blocks", "serving", "blend")

_OWN: Mapping[str, tuple[str, ...]] = {
    "item-propagation/1": ("similarity", "propagation"),
    "vectors/1": ("similarity", "dimension", "serving"),
    "item-weights/1": ("serving",),
    "sequence/1": ("similarity", "serving"),
    "pair/1": ("similarity", "serving"),
    PADDED_BLOCKS: ("similarity", "blocks"),
}
"""What a contract asks for beyond its files; ``serving`` says how the database makes an answer of it."""
_SERVING = tuple(contract for contract, keys in _OWN.items() if "serving" in keys)
FOLD_IN = ("unobserved", "regularization", "nu", "items")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")


def now_utc() -> str:
    """The present second as ``createdAt`` wants it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_schema_hash(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with ``format`` and ``schemaSha256`` set from what it holds."""
    return {**manifest, "format": FORMAT, "schemaSha256": schema_hash(manifest.get("schema", {}))}


def manifest_faults(manifest: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a manifest, one sentence each; empty when it may be used.

    Checks keys, types, ranges, the schema hash, the parts the contract asks for and that pieces add up.
    It sees no other file: :mod:`model_export.artefact` compares the parts with the bytes.
    """
    if manifest.get("format") != FORMAT or isinstance(manifest.get("format"), bool):
        # A later format may mean anything by the same keys, so nothing else is judged.
        return [f"format {manifest.get('format')!r} is unknown; this version reads format {FORMAT}"]
    stated = manifest.get("contract")
    contract = stated if isinstance(stated, str) else None  # a list cannot be looked up
    files = CONTRACTS.get(contract)
    faults: list[str] = []
    if files is None:
        near = get_close_matches(str(stated), CONTRACTS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        faults.append(f"contract {stated!r} is unknown.{hint} Known: {', '.join(sorted(CONTRACTS))}")
    faults += _missing_and_unknown_keys(manifest, contract, files or ())
    faults += _scalar_faults(manifest)
    faults += _section_faults(manifest, contract, files)
    # What is left compares sections with each other, which takes each of them to be right by itself.
    return faults or _joint_faults(manifest)


def _missing_and_unknown_keys(
    manifest: Mapping[str, Any], contract: str | None, files: tuple[str, ...]
) -> list[str]:
    required = [*_REQUIRED]
    if MODEL_FILE in files:
        required += [*_WITH_MODEL, "dimension"]
    required += _OWN.get(contract, ())
    faults = [f"the key '{key}' is missing" for key in required if key not in manifest]
    for key in manifest:
        if key not in _ALL_KEYS:
            near = get_close_matches(key, _ALL_KEYS, n=1)
            faults.append(f"unknown key '{key}'." + (f" Did you mean '{near[0]}'?" if near else ""))
    return faults


def _section_faults(
    manifest: Mapping[str, Any], contract: str | None, files: tuple[str, ...] | None
) -> list[str]:
    faults: list[str] = []
    if "schema" in manifest:
        faults += schema_faults(manifest["schema"])
        faults += schema_hash_faults(manifest["schema"], manifest.get("schemaSha256"))
    if "signature" in manifest:
        faults += signature_faults(manifest["signature"])
    if "propagation" in manifest:
        faults += _propagation_faults(manifest["propagation"], contract)
    if "blocks" in manifest and contract != PADDED_BLOCKS:
        faults.append(f"'blocks' belongs to the contract {PADDED_BLOCKS} only")
    if "blend" in manifest:
        faults += _blend_faults(manifest["blend"], contract)
    if "serving" in manifest:
        faults += _serving_faults(manifest["serving"], contract)
    if "metrics" in manifest:
        faults += _metric_faults(manifest["metrics"])
    if "golden" in manifest:
        faults += golden_faults(manifest["golden"], manifest.get("signature"))
    if "parts" in manifest:
        faults += part_faults(manifest["parts"], files)
    return faults


def _joint_faults(manifest: Mapping[str, Any]) -> list[str]:
    faults = fixed_faults(manifest)
    if "vector" in manifest.get("serving", {}):
        length = len(manifest["serving"]["vector"])
        if length != manifest["dimension"]:
            faults.append(f"serving.vector has {length} numbers, dimension is {manifest['dimension']}")
    if manifest["contract"] == PADDED_BLOCKS:
        faults += block_faults(manifest)
    return faults


def _scalar_faults(manifest: Mapping[str, Any]) -> list[str]:
    faults = []
    for key in ("model", "gnn4jVersion"):
        value = manifest.get(key, "-")
        if not isinstance(value, str) or not 1 <= len(value) <= 200:
            faults.append(f"'{key}' must be text of 1 to 200 characters, found {value!r}")
    created = manifest.get("createdAt", "2000-01-01T00:00:00Z")
    if not isinstance(created, str) or not _TIMESTAMP.fullmatch(created):
        faults.append(f"'createdAt' must be ISO-8601 in UTC like 2026-01-31T12:00:00Z, found {created!r}")
    if "dimension" in manifest and not is_int(manifest["dimension"], 1, 4096):
        faults.append(f"'dimension' must be an integer from 1 to 4096, found {manifest['dimension']!r}")
    if "similarity" in manifest and manifest["similarity"] not in SIMILARITIES:
        faults.append(f"'similarity' must be dot or cosine, found {manifest['similarity']!r}")
    for key in ("task", "training"):
        if key in manifest and not isinstance(manifest[key], dict):
            faults.append(f"'{key}' must be a map, found {type(manifest[key]).__name__}")
        elif key == "training" and key in manifest:
            faults += key_faults(manifest[key], ("graph", "cutoff", "seed", "hyperparameters"), key)
    return faults


def _propagation_faults(propagation: Any, contract: Any) -> list[str]:
    if contract != "item-propagation/1":
        return ["'propagation' belongs to the contract item-propagation/1 only"]
    if not isinstance(propagation, dict):
        return [f"'propagation' must be a map, found {type(propagation).__name__}"]
    faults = key_faults(propagation, ("layers", "vectors", "exponent", "history"), "propagation")
    if "layers" in propagation and not is_int(propagation["layers"], 0, 10):
        faults.append(f"propagation.layers must be an integer from 0 to 10, found {propagation['layers']!r}")
    if "history" in propagation and not is_int(propagation["history"], 1, 10_000):
        faults.append(
            f"propagation.history must be an integer from 1 to 10000, found {propagation['history']!r}"
        )
    if "vectors" in propagation and propagation["vectors"] not in ("base", "final"):
        faults.append(f"propagation.vectors must be base or final, found {propagation['vectors']!r}")
    exponent = propagation.get("exponent", 0)
    if not is_number(exponent) or not 0 <= exponent <= 1:
        faults.append(f"propagation.exponent must be a number from 0 to 1, found {exponent!r}")
    if propagation.get("vectors") == "base" and propagation.get("layers") == 0:
        faults.append("propagation.layers must be at least 1 for base vectors: with 0 no user has a vector")
    return faults


def _blend_faults(blend: Any, contract: Any) -> list[str]:
    """The shape; what a source or a walk may say the plugin judges, which takes the same from callers."""
    if contract != "item-propagation/1":
        return ["'blend' belongs to the contract item-propagation/1 only"]
    if not isinstance(blend, dict):
        return [f"'blend' must be a map, found {type(blend).__name__}"]
    faults = key_faults(blend, ("rule", "sources", "walk"), "blend")
    if blend.get("rule", "sum") != "sum":
        faults.append(f"blend.rule must be sum, found {blend['rule']!r}")
    for key in ("sources", "walk"):
        if not isinstance(blend.get(key, {}), dict):
            faults.append(f"blend.{key} must be a map, found {type(blend[key]).__name__}")
    return faults


def _serving_faults(serving: Any, contract: Any) -> list[str]:
    if contract not in _SERVING:
        return [f"'serving' belongs to the contracts {', '.join(_SERVING)} only"]
    if not isinstance(serving, dict):
        return [f"'serving' must be a map, found {type(serving).__name__}"]
    known = ["history"]
    if contract == "vectors/1":
        known.append("cold")
        known += {"fold-in": FOLD_IN, "constant": ("vector",)}.get(str(serving.get("cold")), ())
    faults = key_faults(serving, known, "serving")
    if "history" in serving and not is_int(serving["history"], 1, 10_000):
        faults.append(f"serving.history must be an integer from 1 to 10000, found {serving['history']!r}")
    if contract == "vectors/1" and serving.get("cold", "mean") not in ("mean", "fold-in", "constant"):
        faults.append(f"serving.cold must be mean, fold-in or constant, found {serving['cold']!r}")
    for key, most in (("unobserved", 1e9), ("regularization", 1e9), ("nu", 1)):
        value = serving.get(key, 0)
        if key in known and (not is_number(value) or not 0 <= value <= most):
            faults.append(f"serving.{key} must be a number from 0 to {most:g}, found {value!r}")
    vector = serving.get("vector", [])
    if "vector" in known and not (isinstance(vector, list) and vector and all(map(is_number, vector))):
        faults.append(f"serving.vector must be a list of finite numbers, found {vector!r}")
    if "items" in known and not is_int(serving.get("items", 0), 0, 2**31 - 1):
        faults.append(f"serving.items must be an integer of at least 0, found {serving['items']!r}")
    return faults


def _metric_faults(metrics: Any) -> list[str]:
    if not isinstance(metrics, list):
        return [f"'metrics' must be a list, found {type(metrics).__name__}"]
    faults = []
    for index, metric in enumerate(metrics):
        at = f"metrics[{index}]"
        if not isinstance(metric, dict):
            faults.append(f"{at} must be a map")
            continue
        faults += key_faults(metric, ("metric", "k", "value", "split", "protocol"), at)
        if "value" in metric and not is_number(metric["value"]):
            faults.append(f"{at}.value must be a finite number, found {metric['value']!r}")
        if metric.get("k") is not None and not is_int(metric["k"], 1, 2**31 - 1):
            faults.append(f"{at}.k must be a positive integer or null, found {metric['k']!r}")
    return faults
