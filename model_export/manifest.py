"""The manifest of an artefact: canonical JSON, its keys and their checks.

The bytes are fixed by ``docs/formats.md`` section 2. The SHA-256 of a model is
the SHA-256 of its ``manifest.json``; the manifest pins every other file, so
one number names all the bytes.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from model_export.block_schema import CONTRACT as PADDED_BLOCKS
from model_export.block_schema import block_faults
from model_export.errors import ArtefactError

FORMAT = 1
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
MIB = 1 << 20
MAX_CORE_BYTES = 64 * MIB  # manifest.json and model.onnx together
MAX_PARTS_BYTES = 2048 * MIB  # all Arrow parts together
MAX_PIECE_BYTES = 16 * MIB
DTYPES = ("float32", "int64", "bool")
SIMILARITIES = ("dot", "cosine")

# The Arrow parts each contract asks for, and whether it has an ONNX model.
CONTRACTS: dict[str, tuple[str, ...]] = {
    "padded-blocks/1": (MODEL_FILE,),
    "item-propagation/1": (MODEL_FILE, "vectors.arrow"),
    "sequence/1": (MODEL_FILE, "vectors.arrow"),
    "pair/1": (MODEL_FILE, "vectors.arrow"),
    "vectors/1": ("vectors.arrow",),
    "item-weights/1": ("weights.arrow",),
    "lists/1": ("lists.arrow",),
    "flat-edges/1": (MODEL_FILE,),
}

_REQUIRED = [
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
]
_WITH_MODEL = ("signature", "golden")
_ALL_KEYS = (*_REQUIRED, *_WITH_MODEL, "dimension", "similarity", "propagation", "blocks", "serving", "blend")
_SERVING = ("vectors/1", "item-weights/1", "sequence/1", "pair/1")
"""Contracts that say in ``serving`` how the database makes an answer of them."""
FOLD_IN = ("unobserved", "regularization", "nu", "items")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MODEL_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


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
    return hashlib.sha256(data).hexdigest()


def now_utc() -> str:
    """The present second as ``createdAt`` wants it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signature_of(
    inputs: Sequence[tuple[str, str, Sequence[int | None], str]],
    outputs: Sequence[tuple[str, str, Sequence[int | None], str]],
) -> dict[str, Any]:
    """The ``signature`` map from tuples ``(name, dtype, shape, role)``; a free dimension is None."""

    def entry(item: tuple[str, str, Sequence[int | None], str]) -> dict[str, Any]:
        name, dtype, shape, role = item
        return {"name": name, "dtype": dtype, "shape": list(shape), "role": role}

    return {"inputs": [entry(item) for item in inputs], "outputs": [entry(item) for item in outputs]}


def with_schema_hash(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with ``format`` and ``schemaSha256`` set from what it holds."""
    return {**manifest, "format": FORMAT, "schemaSha256": _schema_hash(manifest.get("schema", {}))}


def manifest_faults(manifest: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a manifest, one sentence each; empty when it may be used.

    Checks keys, types, ranges, the schema hash, the parts the contract asks for and that pieces add up.
    It sees no other file: :mod:`model_export.artefact` compares the parts with the bytes.
    """
    if manifest.get("format") != FORMAT or isinstance(manifest.get("format"), bool):
        # A later format may mean anything by the same keys, so nothing else is judged.
        return [f"format {manifest.get('format')!r} is unknown; this version reads format {FORMAT}"]
    faults: list[str] = []
    contract = manifest.get("contract")
    files = CONTRACTS.get(contract) if isinstance(contract, str) else None
    required = list(_REQUIRED)
    if files is None:
        near = get_close_matches(str(contract), CONTRACTS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        faults.append(f"contract {contract!r} is unknown.{hint} Known: {', '.join(sorted(CONTRACTS))}")
    elif MODEL_FILE in files:
        required += [*_WITH_MODEL, "dimension"]
    contract = contract if isinstance(contract, str) else None  # a list cannot be looked up
    if contract == "item-propagation/1":
        required += ["similarity", "propagation"]
    elif contract == "vectors/1":
        required += ["similarity", "dimension"]
    elif contract in ORDERING:
        required.append("similarity")
    elif contract == PADDED_BLOCKS:
        required += ["similarity", "blocks"]
    if contract in _SERVING:
        required.append("serving")
    faults += [f"the key '{key}' is missing" for key in required if key not in manifest]
    for key in manifest:
        if key not in _ALL_KEYS:
            near = get_close_matches(key, _ALL_KEYS, n=1)
            faults.append(f"unknown key '{key}'." + (f" Did you mean '{near[0]}'?" if near else ""))
    faults += _scalar_faults(manifest)
    if "schema" in manifest:
        faults += schema_faults(manifest["schema"])
        faults += _schema_hash_faults(manifest["schema"], manifest.get("schemaSha256"))
    if "signature" in manifest:
        faults += _signature_faults(manifest["signature"])
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
        faults += _golden_faults(manifest["golden"], manifest.get("signature"))
    if "parts" in manifest:
        faults += _part_faults(manifest["parts"], files)
    if not faults and "vector" in manifest.get("serving", {}):
        length = len(manifest["serving"]["vector"])
        if length != manifest["dimension"]:
            faults.append(f"serving.vector has {length} numbers, dimension is {manifest['dimension']}")
    if contract == "item-propagation/1" and not faults:
        faults += _item_propagation_faults(manifest)
    if contract in ORDERING and not faults:
        wanted = ORDERING[contract](manifest["dimension"])
        if canonical_json(manifest["signature"]) != canonical_json(wanted):
            names = [", ".join(entry["name"] for entry in wanted[side]) for side in ("inputs", "outputs")]
            faults.append(f"the signature is not the one of {contract}: {names[0]} in; {names[1]} out")
    if contract == PADDED_BLOCKS and not faults:
        faults += block_faults(manifest)
    return faults


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unknown_keys(value: Mapping[str, Any], known: Sequence[str], at: str) -> list[str]:
    missing = [f"{at} lacks '{key}'" for key in known if key not in value]
    return missing + [
        f"{at} has the unknown key '{key}'; known: {', '.join(known)}" for key in value if key not in known
    ]


def _scalar_faults(manifest: Mapping[str, Any]) -> list[str]:
    faults = []
    for key in ("model", "gnn4jVersion"):
        value = manifest.get(key, "-")
        if not isinstance(value, str) or not 1 <= len(value) <= 200:
            faults.append(f"'{key}' must be text of 1 to 200 characters, found {value!r}")
    created = manifest.get("createdAt", "2000-01-01T00:00:00Z")
    if not isinstance(created, str) or not _TIMESTAMP.fullmatch(created):
        faults.append(f"'createdAt' must be ISO-8601 in UTC like 2026-01-31T12:00:00Z, found {created!r}")
    if "dimension" in manifest and not _is_int(manifest["dimension"], 1, 4096):
        faults.append(f"'dimension' must be an integer from 1 to 4096, found {manifest['dimension']!r}")
    if "similarity" in manifest and manifest["similarity"] not in SIMILARITIES:
        faults.append(f"'similarity' must be dot or cosine, found {manifest['similarity']!r}")
    for key in ("task", "training"):
        if key in manifest and not isinstance(manifest[key], dict):
            faults.append(f"'{key}' must be a map, found {type(manifest[key]).__name__}")
        elif key == "training" and key in manifest:
            faults += _unknown_keys(manifest[key], ("graph", "cutoff", "seed", "hyperparameters"), key)
    return faults


def _schema_hash(schema: Any) -> str:
    return sha256_hex(canonical_json(schema))


def schema_faults(schema: Any) -> list[str]:
    """What is wrong with the labels and relations of a schema, whatever the contract."""
    if not isinstance(schema, dict):
        return [f"'schema' must be a map, found {type(schema).__name__}"]
    faults = _unknown_keys(schema, ("nodes", "relations"), "schema")
    nodes, relations = schema.get("nodes", {}), schema.get("relations", [])
    if not isinstance(nodes, dict):
        faults.append("schema.nodes must be a map from label to {key, properties}")
        nodes = {}
    for label, node in nodes.items():
        if not isinstance(node, dict) or not isinstance(node.get("key"), str):
            faults.append(f"schema.nodes.{label} must be a map with the name of the key property in 'key'")
        elif not isinstance(node.get("properties"), list):
            faults.append(f"schema.nodes.{label}.properties must be a list")
    if not isinstance(relations, list):
        faults.append("schema.relations must be a list")
        relations = []
    for index, relation in enumerate(relations):
        at = f"schema.relations[{index}]"
        if not isinstance(relation, dict):
            faults.append(f"{at} must be a map")
            continue
        faults += [
            f"{at} lacks '{k}'" for k in ("source", "type", "target", "direction") if k not in relation
        ]
        for end in ("source", "target"):
            if end in relation and relation[end] not in nodes:
                faults.append(f"{at}.{end} is {relation[end]!r}, which schema.nodes does not have")
        if relation.get("direction", "out") not in ("out", "in"):
            faults.append(f"{at}.direction must be out or in, found {relation['direction']!r}")
    return faults


def _schema_hash_faults(schema: Any, declared: Any) -> list[str]:
    if any(isinstance(leaf, float) for leaf in _leaves(schema)):
        # Both languages hash the schema anew; only integers and text have one spelling in each.
        return ["schema holds a fractional number; only text, integers, booleans and null may stand there"]
    found = _schema_hash(schema)
    return [] if found == declared else [f"schemaSha256 is {declared}, but the schema hashes to {found}"]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _signature_faults(signature: Any) -> list[str]:
    if not isinstance(signature, dict):
        return [f"'signature' must be a map, found {type(signature).__name__}"]
    faults = _unknown_keys(signature, ("inputs", "outputs"), "signature")
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
            faults += _unknown_keys(entry, ("name", "dtype", "shape", "role"), at)
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
            if not isinstance(shape, list) or not all(d is None or _is_int(d, 1, 2**31 - 1) for d in shape):
                faults.append(f"{at}.shape must be a list of positive integers or null, found {shape!r}")
            if not isinstance(entry.get("role"), str):
                faults.append(f"{at}.role must be text")
    return faults


def _propagation_faults(propagation: Any, contract: Any) -> list[str]:
    if contract != "item-propagation/1":
        return ["'propagation' belongs to the contract item-propagation/1 only"]
    if not isinstance(propagation, dict):
        return [f"'propagation' must be a map, found {type(propagation).__name__}"]
    faults = _unknown_keys(propagation, ("layers", "vectors", "exponent", "history"), "propagation")
    if "layers" in propagation and not _is_int(propagation["layers"], 0, 10):
        faults.append(f"propagation.layers must be an integer from 0 to 10, found {propagation['layers']!r}")
    if "history" in propagation and not _is_int(propagation["history"], 1, 10_000):
        faults.append(
            f"propagation.history must be an integer from 1 to 10000, found {propagation['history']!r}"
        )
    if "vectors" in propagation and propagation["vectors"] not in ("base", "final"):
        faults.append(f"propagation.vectors must be base or final, found {propagation['vectors']!r}")
    exponent = propagation.get("exponent", 0)
    if not _is_number(exponent) or not 0 <= exponent <= 1:
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
    faults = _unknown_keys(blend, ("rule", "sources", "walk"), "blend")
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
    faults = _unknown_keys(serving, known, "serving")
    if "history" in serving and not _is_int(serving["history"], 1, 10_000):
        faults.append(f"serving.history must be an integer from 1 to 10000, found {serving['history']!r}")
    if contract == "vectors/1" and serving.get("cold", "mean") not in ("mean", "fold-in", "constant"):
        faults.append(f"serving.cold must be mean, fold-in or constant, found {serving['cold']!r}")
    for key, most in (("unobserved", 1e9), ("regularization", 1e9), ("nu", 1)):
        value = serving.get(key, 0)
        if key in known and (not _is_number(value) or not 0 <= value <= most):
            faults.append(f"serving.{key} must be a number from 0 to {most:g}, found {value!r}")
    vector = serving.get("vector", [])
    if "vector" in known and not (isinstance(vector, list) and vector and all(map(_is_number, vector))):
        faults.append(f"serving.vector must be a list of finite numbers, found {vector!r}")
    if "items" in known and not _is_int(serving.get("items", 0), 0, 2**31 - 1):
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
        faults += _unknown_keys(metric, ("metric", "k", "value", "split", "protocol"), at)
        if "value" in metric and not _is_number(metric["value"]):
            faults.append(f"{at}.value must be a finite number, found {metric['value']!r}")
        if metric.get("k") is not None and not _is_int(metric["k"], 1, 2**31 - 1):
            faults.append(f"{at}.k must be a positive integer or null, found {metric['k']!r}")
    return faults


def _golden_faults(golden: Any, signature: Any) -> list[str]:
    if not isinstance(golden, dict):
        return [f"'golden' must be a map, found {type(golden).__name__}"]
    faults = _unknown_keys(golden, ("inputs", "outputs", "tolerance"), "golden")
    tolerance = golden.get("tolerance", 1e-5)
    if not _is_number(tolerance) or not 0 < tolerance <= 0.1:
        faults.append(f"golden.tolerance must lie above 0 and at most at 0.1, found {tolerance!r}")
    for side in ("inputs", "outputs"):
        tensors = golden.get(side)
        if not isinstance(tensors, dict):
            faults.append(f"golden.{side} must be a map from name to {{dtype, shape, data}}")
            continue
        declared = _by_name(signature, side)
        if declared is not None:
            faults += [f"golden.{side} lacks '{name}'" for name in declared if name not in tensors]
        for name, tensor in tensors.items():
            at = f"golden.{side}.{name}"
            if declared is not None and name not in declared:
                faults.append(f"{at} is not in the signature")
                continue
            faults += _tensor_faults(tensor, at, None if declared is None else declared[name])
    return faults


def _by_name(signature: Any, side: str) -> dict[str, dict[str, Any]] | None:
    if not isinstance(signature, dict) or _signature_faults(signature):
        return None
    return {entry["name"]: entry for entry in signature[side]}


def _tensor_faults(tensor: Any, at: str, declared: dict[str, Any] | None) -> list[str]:
    if not isinstance(tensor, dict):
        return [f"{at} must be a map with dtype, shape and data"]
    faults = _unknown_keys(tensor, ("dtype", "shape", "data"), at)
    dtype, shape, data = tensor.get("dtype"), tensor.get("shape"), tensor.get("data")
    if dtype not in DTYPES:
        return [*faults, f"{at}.dtype must be one of {', '.join(DTYPES)}, found {dtype!r}"]
    if not isinstance(shape, list) or not all(_is_int(d, 0, 2**31 - 1) for d in shape):
        return [*faults, f"{at}.shape must be a list of integers, found {shape!r}"]
    if not isinstance(data, list) or len(data) != math.prod(shape):
        length = len(data) if isinstance(data, list) else type(data).__name__
        faults.append(f"{at}.data must hold {math.prod(shape)} values, found {length}")
    elif dtype == "float32" and not all(_is_number(v) for v in data):
        faults.append(f"{at}.data must hold finite numbers")
    elif dtype == "int64" and not all(_is_int(v, -(2**63), 2**63 - 1) for v in data):
        faults.append(f"{at}.data must hold integers")
    elif dtype == "bool" and not all(isinstance(v, bool) for v in data):
        faults.append(f"{at}.data must hold booleans")
    if declared is not None:
        if dtype != declared["dtype"]:
            faults.append(f"{at}.dtype is {dtype}, the signature says {declared['dtype']}")
        fits = len(shape) == len(declared["shape"]) and all(
            want is None or want == found for want, found in zip(declared["shape"], shape, strict=True)
        )
        if not fits:
            faults.append(f"{at}.shape is {shape}, the signature says {declared['shape']}")
    return faults


def _part_faults(parts: Any, files: tuple[str, ...] | None) -> list[str]:
    if not isinstance(parts, list):
        return [f"'parts' must be a list, found {type(parts).__name__}"]
    faults: list[str] = []
    found: dict[str, int] = {}
    for index, part in enumerate(parts):
        at = f"parts[{index}]"
        if not isinstance(part, dict):
            faults.append(f"{at} must be a map")
            continue
        faults += _unknown_keys(part, ("file", "bytes", "sha256", "pieces"), at)
        file, size, pieces = part.get("file"), part.get("bytes"), part.get("pieces")
        if not isinstance(file, str) or file in found:
            faults.append(f"{at}.file must be text and unique, found {file!r}")
            continue
        if not _is_int(size, 1, MAX_PARTS_BYTES):
            faults.append(f"{at}.bytes must be an integer from 1 to {MAX_PARTS_BYTES}, found {size!r}")
            continue
        found[file] = size
        if not isinstance(part.get("sha256"), str) or not _SHA256.fullmatch(part["sha256"]):
            faults.append(f"{at}.sha256 must be 64 lower-case hexadecimal digits")
        faults += _piece_faults(pieces, size, at)
    if files is not None:
        faults += [
            f"the contract asks for '{name}', parts does not list it" for name in files if name not in found
        ]
        extra = [name for name in found if name not in files]
        faults += [f"parts lists '{name}', which the contract does not have" for name in extra]
    arrow = sum(size for name, size in found.items() if name != MODEL_FILE)
    if arrow > MAX_PARTS_BYTES:
        faults.append(f"the Arrow parts hold {arrow} bytes; at most {MAX_PARTS_BYTES} are allowed")
    if found.get(MODEL_FILE, 0) > MAX_CORE_BYTES:
        faults.append(f"{MODEL_FILE} holds {found[MODEL_FILE]} bytes; at most {MAX_CORE_BYTES} are allowed")
    return faults


def _piece_faults(pieces: Any, size: int, at: str) -> list[str]:
    if not isinstance(pieces, list) or not pieces:
        return [f"{at}.pieces must be a list of at least one piece"]
    faults, total = [], 0
    for index, piece in enumerate(pieces):
        here = f"{at}.pieces[{index}]"
        if not isinstance(piece, dict):
            return [*faults, f"{here} must be a map"]
        faults += _unknown_keys(piece, ("index", "bytes", "sha256"), here)
        if not _is_int(piece.get("index"), index, index):
            faults.append(f"{here}.index must be {index}, found {piece.get('index')!r}")
        if not _is_int(piece.get("bytes"), 1, MAX_PIECE_BYTES):
            faults.append(f"{here}.bytes must be from 1 to {MAX_PIECE_BYTES}, found {piece.get('bytes')!r}")
        else:
            total += piece["bytes"]
        if not isinstance(piece.get("sha256"), str) or not _SHA256.fullmatch(piece["sha256"]):
            faults.append(f"{here}.sha256 must be 64 lower-case hexadecimal digits")
    if not faults and total != size:
        faults.append(f"{at}.bytes is {size}, but its pieces hold {total}")
    return faults


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


def _item_propagation_faults(manifest: Mapping[str, Any]) -> list[str]:
    wanted = item_propagation_signature(manifest["dimension"])
    if canonical_json(manifest["signature"]) == canonical_json(wanted):
        return []
    return ["the signature is not the one of item-propagation/1: context, weight, degree in; query out"]
