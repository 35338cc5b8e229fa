"""Any ``torch.nn.Module`` to a checked ONNX artefact, and running one with ONNX Runtime.

A leaf: imports no other room of this repository, so it works for anyone's model.

    export(module, example, manifest)   a module that follows a contract -> Artefact
    read(path)                          a verified Artefact from a zip file
    open_session(model_bytes)           run it, on a GPU where there is one
    BlockSession(artefact)              vectors of many nodes by a padded-blocks/1 model
"""

from typing import TYPE_CHECKING, Any

from model_export.artefact import Artefact, read
from model_export.block_session import BlockSession
from model_export.errors import ArtefactError, ExportError
from model_export.session import open_session

if TYPE_CHECKING:
    from model_export.exporter import export

__all__ = ["Artefact", "ArtefactError", "BlockSession", "ExportError", "export", "open_session", "read"]


def __getattr__(name: str) -> Any:
    # Only exporting needs torch; reading and running an artefact start without it.
    if name == "export":
        from model_export.exporter import export

        return export
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
