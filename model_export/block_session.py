"""Bulk inference with a ``padded-blocks/1`` artefact over the blocks a sampler makes; on a GPU where one is.

    session = BlockSession(read(Path("shop.zip")))
    for vectors in session.embed(batches): ...

Batches are made in a thread of their own, so that sampling goes on while ONNX Runtime works.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model_export.artefact import Artefact
from model_export.block_schema import CONTRACT, OUTPUT, BlockSchema
from model_export.errors import ArtefactError
from model_export.padded_blocks import PaddedBlocks, faults_of, signature_names
from model_export.session import open_session

AHEAD = 2


class BlockSession:
    """An opened model.

    Args:
        artefact: of the contract ``padded-blocks/1``.
        providers, threads: as ``open_session`` has them.
    Attributes:
        schema: types, features, relations and fan-outs; what a sampler has to follow.
        dimension: D.
        providers: what ONNX Runtime really uses, best first.
    Raises:
        ArtefactError: another contract, or a model that ONNX Runtime refuses.
    """

    def __init__(
        self, artefact: Artefact, *, providers: Sequence[str] | None = None, threads: int = 1
    ) -> None:
        contract = artefact.manifest["contract"]
        if contract != CONTRACT:
            raise ArtefactError(
                "This artefact cannot embed blocks", [f"it follows {contract}; {CONTRACT} is needed"]
            )
        self.schema = BlockSchema.of(artefact.manifest)
        self.dimension: int = artefact.manifest["dimension"]
        self._names = signature_names(artefact.manifest)
        self._session = open_session(artefact.model, providers=providers, threads=threads)
        self.providers = self._session.providers

    def run(self, blocks: PaddedBlocks) -> NDArray[np.float32]:
        """[B, D] – vectors of the seeds of one batch, in their order.

        Raises:
            ArtefactError: with all faults of the batch; indices are checked before ONNX Runtime sees them.
        """
        faults = faults_of(self.schema, blocks.tensors)
        if faults:
            raise ArtefactError("The batch is refused", faults)
        if not len(blocks):
            return np.zeros((0, self.dimension), np.float32)
        return self._session.run(blocks.take(self._names))[OUTPUT]

    def embed(self, batches: Iterable[PaddedBlocks], *, ahead: int = AHEAD) -> Iterator[NDArray[np.float32]]:
        """The vectors of every batch, in order; ``ahead`` batches are made in advance.

        An error while a batch is made comes out here. Whoever stops early stops the making, too.
        """
        if ahead < 1:
            raise ValueError(f"ahead must be at least 1, found {ahead}")
        waiting: queue.Queue = queue.Queue(ahead)
        stopped = threading.Event()

        def put(entry: tuple[bool, object]) -> bool:
            while not stopped.is_set():
                try:
                    waiting.put(entry, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def make() -> None:
            try:
                for blocks in batches:
                    if not put((True, blocks)):
                        return
                put((False, None))
            except BaseException as error:  # carried over to the caller's thread
                put((False, error))

        maker = threading.Thread(target=make, name="gnn4j-blocks", daemon=True)
        maker.start()
        try:
            while True:
                more, entry = waiting.get()
                if not more:
                    if entry is not None:
                        raise entry
                    return
                yield self.run(entry)
        finally:
            stopped.set()
            maker.join()
