"""What can be wrong with the manifest of a ``padded-blocks/1`` model; ``docs/formats.md`` section 7."""

import itertools
import unicodedata
from collections.abc import Mapping
from typing import Any

from model_export.block_schema import (
    ENCODERS,
    MAX_BUCKETS,
    MAX_ENTRIES,
    MAX_FANOUT,
    MAX_LAST,
    MAX_LAYERS,
    MAX_LENGTH,
    MAX_WIDTH,
    OUTPUT,
    SEED,
    STRATEGIES,
    BlockSchema,
)
from model_export.plain_values import is_int, key_faults

_BLOCK_KEYS = ("layers", "types", "seeds", "fanouts", "sampling")
_SAMPLING_KEYS = ("strategy", "replace", "randomSeed", "weightProperty", "timeProperty", "last")


def block_faults(manifest: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``schema``, ``blocks`` and ``signature`` of a padded-blocks manifest.

    The general checks of :mod:`model_export.manifest` have passed before.
    """
    return declaration_faults(manifest) or _signature_faults(BlockSchema.of(manifest), manifest)


def declaration_faults(manifest: Mapping[str, Any]) -> list[str]:
    """As ``block_faults``, without the signature."""
    schema = manifest["schema"]
    faults = []
    for label, node in schema["nodes"].items():
        seen: set[str] = set()
        for index, entry in enumerate(node["properties"]):
            at = f"schema.nodes.{label}.properties[{index}]"
            faults += _feature_faults(entry, at)
            name = entry.get("property") if isinstance(entry, Mapping) else None
            if isinstance(name, str) and name in seen:
                faults.append(f"{at}: the property '{name}' stands twice")
            seen.add(str(name))
    met: set[tuple[Any, ...]] = set()
    for index, relation in enumerate(schema["relations"]):
        at = f"schema.relations[{index}]"
        extra = sorted(set(relation) - {"source", "type", "target", "direction", "properties"})
        faults += [f"{at} has the unknown key '{key}'" for key in extra]
        names = relation.get("properties")
        if not _texts(names) or len(set(names)) < len(names):
            faults.append(f"{at}.properties must be a list of different names, found {names!r}")
        same = tuple(relation.get(key) for key in ("source", "type", "target", "direction"))
        if same in met:
            faults.append(f"{at} stands twice")
        met.add(same)
    return faults + _blocks_faults(manifest["blocks"], schema)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _feature_faults(entry: Any, at: str) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"{at} must be a map with property and encoder"]
    encoder = entry.get("encoder")
    if encoder not in ENCODERS:
        return [f"{at}.encoder must be one of {', '.join(ENCODERS)}, found {encoder!r}"]
    allowed = ("property", "encoder", *ENCODERS[encoder])
    faults = [
        f"{at} has the unknown key '{key}'; known: {', '.join(allowed)}"
        for key in entry
        if key not in allowed
    ]
    if not isinstance(entry.get("property"), str) or not entry["property"]:
        faults.append(f"{at}.property must be the name of a property")
    if encoder in ("category", "list"):
        if ("vocabulary" in entry) == ("buckets" in entry):
            faults.append(f"{at} must have either vocabulary or buckets")
        if "buckets" in entry and not is_int(entry["buckets"], 1, MAX_BUCKETS):
            faults.append(f"{at}.buckets must be from 1 to {MAX_BUCKETS}, found {entry['buckets']!r}")
        if "vocabulary" in entry:
            faults += _vocabulary_faults(entry["vocabulary"], at)
    if encoder == "list" and not is_int(entry.get("length"), 1, MAX_LENGTH):
        faults.append(f"{at}.length must be from 1 to {MAX_LENGTH}, found {entry.get('length')!r}")
    if encoder == "vector" and not is_int(entry.get("width"), 1, MAX_WIDTH):
        faults.append(f"{at}.width must be from 1 to {MAX_WIDTH}, found {entry.get('width')!r}")
    return faults


def _vocabulary_faults(vocabulary: Any, at: str) -> list[str]:
    if not isinstance(vocabulary, list) or not all(isinstance(text, str) for text in vocabulary):
        return [f"{at}.vocabulary must be a list of texts"]
    if len(vocabulary) > MAX_ENTRIES:
        return [f"{at}.vocabulary has {len(vocabulary)} entries, at most {MAX_ENTRIES}; use buckets"]
    faults = []
    wrong = next((text for text in vocabulary if not unicodedata.is_normalized("NFC", text)), None)
    if wrong is not None:
        faults.append(f"{at}.vocabulary holds {wrong!r}, which is not in Unicode form NFC")
    if any(
        a.encode("utf-8", "replace") >= b.encode("utf-8", "replace")
        for a, b in itertools.pairwise(vocabulary)
    ):
        faults.append(f"{at}.vocabulary must be in ascending order of UTF-8 bytes, no text twice")
    return faults


def _blocks_faults(blocks: Any, schema: Mapping[str, Any]) -> list[str]:
    if not isinstance(blocks, Mapping):
        return [f"'blocks' must be a map, found {type(blocks).__name__}"]
    faults = key_faults(blocks, _BLOCK_KEYS, "blocks")
    if faults:
        return faults
    layers, types, seeds, fanouts = (blocks[key] for key in ("layers", "types", "seeds", "fanouts"))
    if not is_int(layers, 1, MAX_LAYERS):
        return [f"blocks.layers must be from 1 to {MAX_LAYERS}, found {layers!r}"]
    if not _texts(types) or sorted(types) != sorted(schema["nodes"]):
        faults.append(f"blocks.types must list the labels of schema.nodes once each, found {types!r}")
    if not _texts(seeds) or not seeds or len(set(seeds)) < len(seeds) or set(seeds) - set(schema["nodes"]):
        faults.append(
            f"blocks.seeds must list at least one label of schema.nodes, none twice, found {seeds!r}"
        )
    right = isinstance(fanouts, list) and len(fanouts) == len(schema["relations"])
    if not right or not all(
        isinstance(row, list) and len(row) == layers and all(is_int(k, 0, MAX_FANOUT) for k in row)
        for row in fanouts
    ):
        faults.append(
            f"blocks.fanouts must have {len(schema['relations'])} lists (one a relation) of {layers} numbers "
            f"from 0 to {MAX_FANOUT}, found {fanouts!r}"
        )
    return faults + _sampling_faults(blocks["sampling"])


def _sampling_faults(sampling: Any) -> list[str]:
    if not isinstance(sampling, Mapping) or set(sampling) != set(_SAMPLING_KEYS):
        return [f"blocks.sampling must have the keys {', '.join(_SAMPLING_KEYS)}, found {sampling!r}"]
    faults = []
    if sampling["strategy"] not in STRATEGIES:
        faults.append(
            f"blocks.sampling.strategy must be one of {', '.join(STRATEGIES)}, found {sampling['strategy']!r}"
        )
    if not isinstance(sampling["replace"], bool):
        faults.append(f"blocks.sampling.replace must be true or false, found {sampling['replace']!r}")
    if not is_int(sampling["randomSeed"], -(2**63), 2**63 - 1):
        faults.append(f"blocks.sampling.randomSeed must be an integer, found {sampling['randomSeed']!r}")
    for key in ("weightProperty", "timeProperty", "last"):
        value = sampling[key]
        if value is not None and (not isinstance(value, str) or not value):
            faults.append(f"blocks.sampling.{key} must be the name of a property or null, found {value!r}")
    if sampling["strategy"] == "weighted" and sampling["weightProperty"] is None:
        faults.append("blocks.sampling.strategy 'weighted' needs weightProperty")
    if sampling["last"] is not None:
        if not is_int(sampling["last"], 1, MAX_LAST):
            faults.append(
                f"blocks.sampling.last must be from 1 to {MAX_LAST} or null, found {sampling['last']!r}"
            )
        if sampling["timeProperty"] is None:
            faults.append("blocks.sampling.last needs timeProperty")
    return faults


def _signature_faults(blocks: BlockSchema, manifest: Mapping[str, Any]) -> list[str]:
    faults = []
    names = [entry["name"] for entry in manifest["signature"]["inputs"]]
    for entry in manifest["signature"]["inputs"]:
        tensor = blocks.tensors.get(entry["name"])
        if tensor is None:
            faults.append(
                f"the signature has the input '{entry['name']}'; the manifest's tensors are "
                f"{', '.join(blocks.tensors)}"
            )
        elif (entry["dtype"], tuple(entry["shape"]), entry["role"]) != (
            tensor.dtype,
            tensor.shape,
            tensor.role,
        ):
            faults.append(
                f"the input '{entry['name']}' must be {tensor.dtype} {list(tensor.shape)} with the role "
                f"'{tensor.role}', found {entry['dtype']} {entry['shape']} '{entry['role']}'"
            )
    if SEED not in names:
        faults.append(f"the signature lacks the input '{SEED}', which says how many rows come out")
    wanted = blocks.signature(manifest["dimension"], [])["outputs"]
    if manifest["signature"]["outputs"] != wanted:
        faults.append(
            f"the one output must be '{OUTPUT}', float32 [null, {manifest['dimension']}] with the role "
            f"'embedding'"
        )
    return faults
