"""One data set: finding its files, checking that they are whole, fetching them where the terms allow it.

Looked for, in this order: the directory in ``GNN4J_DATA``, ``../shared/data`` beside the clone, what was
downloaded before; in each under the directory name of the set. Nothing of a data set ever belongs into a
repository or package.
"""

import gzip
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import platformdirs
import pyarrow as pa

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.ingest.mapping import IngestMapping, shipped
from gds_pipelines.ingest.plan import assign

VARIABLE = "GNN4J_DATA"
_CHUNK = 1 << 20

Received = Callable[[str, int, int | None], None]
"""Called as (file name, bytes so far, bytes in all or None) while something is downloaded."""


@dataclass(frozen=True)
class DataFile:
    """One file, known by the SHA-256 of its unpacked content or by its number of lines.

    The sum tells a known edition; the lines let another edition of the same data pass (the provider changes
    line ends or file order now and then) but not half a file.
    """

    name: str
    sha256: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Download:
    """A zip at its provider's own address; `bytes` is about its size."""

    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Prepared:
    """What `ingest.plan_tables` takes; `notes` are sentences about where it came from."""

    files: dict[str, list[Path | pa.Table]]
    mapping: IngestMapping
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dataset:
    """A data set with its mapping, its task and a split that is fair on it.

    Args:
        directory: its name under a data directory; also the name of what is downloaded.
        files: without any the set is made by `generate`.
        task: the task map, ready for ``Task.from_mapping`` and for Cypher.
        split: ``{"method": …}`` with ``by_time`` (the task's horizon), ``leave_last`` (`n`), ``random``
            (`test`) or ``given`` (`test`: relationship types that hold the test pairs).
        terms: what one may do with it, in one sentence.
        provider: who has it and under which name.
    """

    name: str
    title: str
    mapping: str
    task: Mapping[str, Any]
    split: Mapping[str, Any]
    terms: str
    provider: str
    directory: str = ""
    files: tuple[DataFile, ...] = ()
    download: Download | None = None
    generate: Callable[[], dict[str, pa.Table]] | None = None

    def prepare(self, *, download: bool = True, received: Received | None = None) -> Prepared:
        """The files or tables with their mapping.

        Args:
            download: whether files that are nowhere may be fetched, where the terms allow it.
            received: told about the progress of a download.
        Raises:
            InvalidInput: the files are nowhere (with where a person gets them), or are not what they
                should be.
            PipelineError: the download failed.
        """
        mapping = shipped(self.mapping)
        if self.generate is not None:
            return Prepared(
                {table: [made] for table, made in self.generate().items()}, mapping, ["Made here, not real."]
            )
        place = self.find()
        if place is None:
            if not download or self.download is None:
                raise InvalidInput(
                    f"The data set {self.name} is not on this machine", [self.where_to_get_it()]
                )
            place = self._fetch(received or (lambda name, done, total: None))
        notes = [f"{self.title}, from {place}. {self.terms}"]
        notes += self._check(place)
        present = [path for file in self.files if (path := _present(place, file.name))]
        files, _ = assign(present, mapping)
        return Prepared({table: list(found) for table, found in files.items()}, mapping, notes)

    def find(self) -> Path | None:
        """The directory that has all files that are needed, or None."""
        for place in data_directories():
            for directory in (place / self.directory, place):
                if all(file.optional or _present(directory, file.name) for file in self.files):
                    return directory
        return None

    def where_to_get_it(self) -> str:
        """One sentence for a person who does not have it."""
        names = ", ".join(file.name for file in self.files if not file.optional)
        what = f"its terms do not let us fetch it: {self.terms} Get it from {self.provider}"
        if self.download is not None:
            what = f"it comes from {self.provider} ({self.download.url})"
        return (
            f"{what}; put {names} into a directory DIR/{self.directory} and set {VARIABLE}=DIR. "
            "The data set 'shop' needs neither a file nor a network."
        )

    def _check(self, place: Path) -> list[str]:
        notes, faults = [], []
        for file in self.files:
            path = _present(place, file.name)
            if path is None:
                continue
            sha256, lines = _fingerprint(path)
            if sha256 in file.sha256:
                continue
            if lines in file.lines:
                notes.append(
                    f"{path.name} is an edition we have not met (SHA-256 "
                    f"{sha256[:12]}…), of the right length."
                )
            else:
                wanted = " or ".join(f"{one:,}" for one in file.lines)
                faults.append(
                    f"{path} has {lines:,} lines{f', expected {wanted}' if wanted else ''}, "
                    f"and its SHA-256 {sha256[:12]}… "
                    f"is none we know; get it again, or load it as it is with: gnn4j ingest {place}"
                )
        if faults:
            raise InvalidInput(f"The data set {self.name} is not what it should be", faults)
        return notes

    def _fetch(self, received: Received) -> Path:
        cache = downloads_directory()
        source = self.download
        assert source is not None
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as scratch:
                archive = Path(scratch) / source.url.rpartition("/")[2]
                _stream(source, archive, received)
                unpacked = Path(scratch) / "unpacked"
                _unzip(archive, unpacked)
                missing = [
                    one.name for one in self.files if not one.optional and not (unpacked / one.name).is_file()
                ]
                if missing:
                    raise PipelineError(f"{source.url} does not have {', '.join(missing)} in it.")
                target = cache / self.directory
                shutil.rmtree(target, ignore_errors=True)
                unpacked.replace(target)
                return target
        except httpx.HTTPError as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            raise PipelineError(
                f"{source.url} cannot be fetched ({why}). Without a network: {self.where_to_get_it()}"
            ) from error
        except (OSError, zipfile.BadZipFile) as error:
            raise PipelineError(f"{source.url} cannot be kept in {cache}: {error}") from error


def data_directories() -> list[Path]:
    """Where data sets are looked for, best first."""
    named = os.environ.get(VARIABLE)
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    return [*([Path(named).expanduser()] if named else []), beside, downloads_directory()]


def downloads_directory() -> Path:
    """Where downloads are kept, outside every repository."""
    return Path(platformdirs.user_cache_dir("gnn4j")) / "datasets"


def _present(directory: Path, name: str) -> Path | None:
    return next((file for file in (directory / name, directory / f"{name}.gz") if file.is_file()), None)


def _chunks(path: Path) -> Iterator[bytes]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _fingerprint(path: Path) -> tuple[str, int]:
    """SHA-256 of the unpacked content and its number of lines; no SHA-256 for damaged gzip."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    try:
        for chunk in _chunks(path):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    except (EOFError, OSError):
        return "", lines
    return digest.hexdigest(), lines + (last != b"\n")


def _stream(source: Download, archive: Path, received: Received) -> None:
    digest, done = hashlib.sha256(), 0
    with (
        httpx.stream("GET", source.url, follow_redirects=True, timeout=30) as answer,
        archive.open("wb") as file,
    ):
        answer.raise_for_status()
        for chunk in answer.iter_bytes(_CHUNK):
            done += len(chunk)
            if (
                done > 4 * source.bytes
            ):  # Whatever this is, it is not to fill the disk before its sum is known.
                raise PipelineError(
                    f"{source.url} is much larger than {source.bytes:,} bytes; nothing was kept."
                )
            digest.update(chunk)
            file.write(chunk)
            received(archive.name, done, source.bytes)
    if digest.hexdigest() != source.sha256:
        raise PipelineError(
            f"{source.url} has the SHA-256 {digest.hexdigest()}, expected {source.sha256}; nothing was kept. "
            "It was cut short, or the provider has a new edition."
        )


def _unzip(archive: Path, target: Path) -> None:
    """All files of the archive into one directory, without the directories inside it."""
    target.mkdir()
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            name = Path(entry.filename).name
            if not entry.is_dir() and name and not name.startswith("."):
                with packed.open(entry) as source, (target / name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
