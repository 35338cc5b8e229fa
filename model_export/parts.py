"""The files of an artefact: which a contract asks for, how large they may be, in which pieces they travel."""

import re
from typing import Any

from model_export.plain_values import is_int, key_faults

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
MIB = 1 << 20
MAX_CORE_BYTES = 64 * MIB  # manifest.json and model.onnx together
MAX_PARTS_BYTES = 2048 * MIB  # all Arrow parts together
MAX_PIECE_BYTES = 16 * MIB

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

_SHA256 = re.compile(r"[0-9a-f]{64}")


def part_faults(parts: Any, files: tuple[str, ...] | None) -> list[str]:
    """What is wrong with ``parts``; ``files`` are those of the contract, None where that is unknown."""
    if not isinstance(parts, list):
        return [f"'parts' must be a list, found {type(parts).__name__}"]
    faults: list[str] = []
    found: dict[str, int] = {}
    for index, part in enumerate(parts):
        at = f"parts[{index}]"
        if not isinstance(part, dict):
            faults.append(f"{at} must be a map")
            continue
        faults += key_faults(part, ("file", "bytes", "sha256", "pieces"), at)
        file, size, pieces = part.get("file"), part.get("bytes"), part.get("pieces")
        if not isinstance(file, str) or file in found:
            faults.append(f"{at}.file must be text and unique, found {file!r}")
            continue
        if not is_int(size, 1, MAX_PARTS_BYTES):
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
        faults += key_faults(piece, ("index", "bytes", "sha256"), here)
        if not is_int(piece.get("index"), index, index):
            faults.append(f"{here}.index must be {index}, found {piece.get('index')!r}")
        if not is_int(piece.get("bytes"), 1, MAX_PIECE_BYTES):
            faults.append(f"{here}.bytes must be from 1 to {MAX_PIECE_BYTES}, found {piece.get('bytes')!r}")
        else:
            total += piece["bytes"]
        if not isinstance(piece.get("sha256"), str) or not _SHA256.fullmatch(piece["sha256"]):
            faults.append(f"{here}.sha256 must be 64 lower-case hexadecimal digits")
    if not faults and total != size:
        faults.append(f"{at}.bytes is {size}, but its pieces hold {total}")
    return faults
