"""The artefact: one uncompressed zip with ``manifest.json``, ``model.onnx`` and Arrow parts.

The same parts give the same bytes. Reading verifies everything before anything
is handed out and lists all faults at once; the rules are those of
``docs/formats.md`` sections 2 and 5, which the plugin applies as well.
"""

import hashlib
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from model_export import golden as golden_samples
from model_export import neighbour_rows, scan
from model_export.canonical_json import canonical_json, parse_canonical, sha256_hex
from model_export.errors import ArtefactError
from model_export.manifest import manifest_faults, with_schema_hash
from model_export.neighbour_rows import VALUES
from model_export.parts import MANIFEST_FILE, MAX_CORE_BYTES, MAX_PARTS_BYTES, MAX_PIECE_BYTES, MODEL_FILE
from model_export.vectors import decode

FILES = (MANIFEST_FILE, MODEL_FILE, "vectors.arrow", "weights.arrow", "lists.arrow")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can say: no clock enters the bytes
_UNIX = 3


@dataclass(frozen=True, eq=False)
class Artefact:
    """A checked model with its parts in memory.

    Attributes:
        manifest: as in ``manifest.json``; treat it as read-only.
        files: name to bytes, every file but the manifest.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @cached_property
    def manifest_bytes(self) -> bytes:
        """``manifest.json``; its SHA-256 is the one of the model."""
        return canonical_json(dict(self.manifest))

    @property
    def sha256(self) -> str:
        """The identity of the model: the SHA-256 of its manifest."""
        return sha256_hex(self.manifest_bytes)

    @property
    def model(self) -> bytes | None:
        """The bytes of ``model.onnx``; None for a contract without a network."""
        return self.files.get(MODEL_FILE)

    def core_zip(self) -> bytes:
        """What ``gnn.model.load`` takes: the manifest and, where there is one, the model."""
        core = {MODEL_FILE: self.files[MODEL_FILE]} if MODEL_FILE in self.files else {}
        sink = BytesIO()
        _write_zip(sink, {MANIFEST_FILE: self.manifest_bytes, **core})
        return sink.getvalue()

    def pieces(self) -> Iterator[tuple[str, int, memoryview]]:
        """``(file, index, bytes)`` of all that follows the core, for ``gnn.model.addPart``."""
        for part in self.manifest["parts"]:
            if part["file"] == MODEL_FILE:
                continue
            data, start = memoryview(self.files[part["file"]]), 0
            for piece in part["pieces"]:
                yield part["file"], piece["index"], data[start : start + piece["bytes"]]
                start += piece["bytes"]

    def write(self, path: Path) -> Path:
        """Write the zip; an existing file is replaced in one step, so nobody reads half of it."""
        path = Path(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as sink:
                _write_zip(sink, {MANIFEST_FILE: self.manifest_bytes, **self.files})
            Path(temporary).chmod(0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path


def part_entry(file: str, data: bytes) -> dict[str, Any]:
    """The manifest's entry of one file, cut into pieces of at most 16 MiB."""
    view = memoryview(data)
    pieces = [view[start : start + MAX_PIECE_BYTES] for start in range(0, len(data), MAX_PIECE_BYTES)]
    return {
        "file": file,
        "bytes": len(data),
        "sha256": sha256_hex(view),
        "pieces": [
            {"index": index, "bytes": len(piece), "sha256": sha256_hex(piece)}
            for index, piece in enumerate(pieces)
        ],
    }


def assemble(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Artefact:
    """Complete the manifest (format, schema hash, parts) and check the whole.

    Raises:
        ArtefactError: with all faults.
    """
    ordered = {name: files[name] for name in FILES if name in files}
    ordered.update({name: files[name] for name in sorted(files) if name not in FILES})
    complete = with_schema_hash(
        {**manifest, "parts": [part_entry(name, data) for name, data in ordered.items()]}
    )
    artefact = Artefact(complete, ordered)
    faults = manifest_faults(complete) or content_faults(artefact)
    if len(artefact.manifest_bytes) + len(artefact.model or b"") > MAX_CORE_BYTES:
        faults.append(f"manifest and model hold more than {MAX_CORE_BYTES} bytes together")
    if faults:
        raise ArtefactError("This artefact cannot be made", faults)
    return artefact


def content_faults(artefact: Artefact) -> list[str]:
    """What is wrong inside the files of an artefact whose manifest and hashes are right."""
    manifest, faults = artefact.manifest, []
    if artefact.model is not None:
        result = scan.scan_model(artefact.model)
        faults += [f"{MODEL_FILE}: {finding.message}" for finding in result.findings]
        if not result.findings:
            faults += [
                f"{MODEL_FILE}: {fault}" for fault in scan.signature_faults(result, manifest["signature"])
            ]
    if "vectors.arrow" in artefact.files:
        final = manifest.get("propagation", {}).get("vectors") == "final"
        # Where users are items, too, a node has a vector for either part it plays.
        final |= manifest["contract"] == "vectors/1" and one_sided(manifest["task"])
        try:
            found = decode(
                artefact.files["vectors.arrow"], dimension=manifest.get("dimension"), with_context=final
            )
        except ArtefactError as error:
            faults += [f"vectors.arrow: {fault}" for fault in error.faults]
        else:
            known = manifest["schema"]["nodes"]
            faults += [
                f"vectors.arrow: the type '{label}' is not in the schema"
                for label in sorted(set(found.types) - set(known))
            ]
    for file in VALUES:
        if file in artefact.files:
            faults += [f"{file}: {fault}" for fault in _row_faults(artefact, file)]
    return faults


def one_sided(task: Mapping[str, Any]) -> bool:
    """Whether who is recommended to and what is recommended carry the same label."""
    return task.get("recommend") == task.get("to")


def _row_faults(artefact: Artefact, file: str) -> list[str]:
    """What is wrong in ``weights.arrow`` or ``lists.arrow``: the file itself, or misplaced labels."""
    try:
        rows = neighbour_rows.decode(artefact.files[file], file)
    except ArtefactError as error:
        return list(error.faults)
    task = artefact.manifest["task"]
    allowed = {task.get("recommend")} | ({task.get("to")} if file == "lists.arrow" else set())
    faults = [
        f"the type '{label}' has no place in it; expected: {', '.join(sorted(map(str, allowed)))}"
        for label in sorted(set(rows.types) - allowed)
    ]
    if not faults and file == "lists.arrow":
        lengths = np.diff(rows.offsets)
        if (rows.types[rows.target] != task["recommend"]).any():
            faults.append(f"a list names a node that is not a '{task['recommend']}'")
        if (lengths[rows.types != task["to"]] > 0).any():
            faults.append(f"a node that is not a '{task['to']}' has a list")
        falls = np.diff(rows.value) <= 0
        falls[rows.offsets[1:-1][(rows.offsets[1:-1] > 0) & (rows.offsets[1:-1] < rows.entries)] - 1] = True
        if not falls.all():
            faults.append("a list has a score above the one before it")
    return faults


def golden_faults(artefact: Artefact) -> list[str]:
    """Run the golden sample with ONNX Runtime on the CPU; how its outputs differ, empty when they agree."""
    if artefact.model is None:
        return []
    from model_export.session import CPU, open_session

    sample = artefact.manifest["golden"]
    try:
        found = open_session(artefact.model, providers=[CPU]).run(golden_samples.inputs_of(sample))
    except ArtefactError as error:
        return [f"the golden sample does not run: {fault}" for fault in error.faults]
    return [f"golden sample: {fault}" for fault in golden_samples.differences(sample, found)]


def _write_zip(sink: BinaryIO, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_STORED
            archive.writestr(info, data)


def read(source: Path | bytes, *, run_golden: bool = True) -> Artefact:
    """Open an artefact and verify all of it.

    Sizes are judged from the directory before anything is read; only stored
    (uncompressed) entries with the known names are accepted, so neither a path
    nor a bomb can hide in the zip, and nothing is ever unpacked to a disk.

    Args:
        source: the path of the zip, or its bytes.
        run_golden: whether ONNX Runtime must reproduce the golden sample, too.
    Raises:
        ArtefactError: with all faults that can be told.
    """
    shown = source.name if isinstance(source, Path) else "these bytes"
    what = f"The artefact {shown} is refused"
    if isinstance(source, Path) and not source.is_file():
        found = "is a directory" if source.is_dir() else "does not exist"
        raise ArtefactError(what, [f"{source} {found}; give the .zip that an export wrote"])
    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        archive = zipfile.ZipFile(source if isinstance(source, Path) else BytesIO(source))
    except zipfile.BadZipFile:  # its message says no more than ours
        raise ArtefactError(what, ["it is not a readable zip file"]) from None
    except (OSError, ValueError, NotImplementedError) as error:
        raise ArtefactError(what, [f"it is not a readable zip file: {error}"]) from None
    with archive:
        faults = _directory_faults(archive, size)
        if faults:
            raise ArtefactError(what, faults)
        try:
            files = {info.filename: archive.read(info) for info in archive.infolist()}
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
            raise ArtefactError(what, [f"the zip file is damaged: {error}"]) from None
    try:
        manifest = parse_canonical(files.pop(MANIFEST_FILE))
    except ArtefactError as error:
        raise ArtefactError(what, error.faults) from None
    faults = manifest_faults(manifest)
    if faults:
        raise ArtefactError(what, [f"{MANIFEST_FILE}: {fault}" for fault in faults])
    faults = _hash_faults(manifest["parts"], files)
    if faults:
        raise ArtefactError(what, faults)
    artefact = Artefact(manifest, {part["file"]: files[part["file"]] for part in manifest["parts"]})
    faults = content_faults(artefact)
    if not faults and run_golden:
        faults = golden_faults(artefact)
    if faults:
        raise ArtefactError(what, faults)
    return artefact


def _directory_faults(archive: zipfile.ZipFile, size: int) -> list[str]:
    entries = archive.infolist()
    names = [info.filename for info in entries]
    faults = [f"it has no {MANIFEST_FILE}"] if MANIFEST_FILE not in names else []
    for info in entries[:20]:
        name = "".join(c if c.isprintable() else "?" for c in info.orig_filename[:80])
        mode = info.external_attr >> 16
        if info.filename not in FILES or info.orig_filename != info.filename:
            faults.append(f"the entry '{name}' is not one of {', '.join(FILES)}")
        if names.count(info.filename) > 1:
            faults.append(f"the entry '{name}' stands twice")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            faults.append(f"the entry '{name}' is compressed; an artefact is stored uncompressed")
        if info.flag_bits & 0x1:
            faults.append(f"the entry '{name}' is encrypted")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            faults.append(f"the entry '{name}' is not a plain file")
    if len(entries) > 20:
        faults.append(f"it has {len(entries)} entries; {len(FILES)} are known")
    sizes = {info.filename: info.file_size for info in entries}
    core = sizes.get(MANIFEST_FILE, 0) + sizes.get(MODEL_FILE, 0)
    if core > MAX_CORE_BYTES:
        faults.append(f"{MANIFEST_FILE} and {MODEL_FILE} hold {core} bytes; {MAX_CORE_BYTES} are allowed")
    total = sum(info.file_size for info in entries)
    if total - core > MAX_PARTS_BYTES:
        faults.append(f"the Arrow parts hold {total - core} bytes; {MAX_PARTS_BYTES} are allowed")
    if total > size:
        faults.append(f"its entries claim {total} bytes, the file has {size}: entries overlap")
    return list(dict.fromkeys(faults))


def _hash_faults(parts: list[dict[str, Any]], files: Mapping[str, bytes]) -> list[str]:
    faults = []
    declared = {part["file"]: part for part in parts}
    faults += [f"the manifest lists '{name}', the zip lacks it" for name in declared if name not in files]
    faults += [
        f"the zip has '{name}', the manifest does not list it" for name in files if name not in declared
    ]
    for name in declared.keys() & files.keys():
        part, data = declared[name], memoryview(files[name])
        if len(data) != part["bytes"]:
            faults.append(f"'{name}' has {len(data)} bytes, the manifest says {part['bytes']}")
            continue
        if hashlib.sha256(data).hexdigest() != part["sha256"]:
            faults.append(f"'{name}' does not have the sha256 that the manifest says: its bytes were changed")
            continue
        start = 0
        for piece in part["pieces"]:
            if sha256_hex(data[start : start + piece["bytes"]]) != piece["sha256"]:
                faults.append(f"piece {piece['index']} of '{name}' does not have the sha256 of the manifest")
            start += piece["bytes"]
    return sorted(faults)
