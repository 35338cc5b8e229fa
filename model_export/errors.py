"""The errors of this room; a leaf has its own base class, which commands turn into words."""

from collections.abc import Sequence


class ArtefactError(Exception):
    """One or more faults in a model, manifest or artefact; all are listed, nothing was written.

    Attributes:
        faults: one sentence each, in the order found; never empty.
    """

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        self.what = what
        self.faults = list(faults)
        listing = self.faults[0] if len(faults) == 1 else "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(f"{what}: {listing}")


class ExportError(ArtefactError):
    """A module cannot become an artefact: it does not export, or ONNX Runtime computes something else."""
