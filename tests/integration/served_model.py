"""A model that answers, put into the registry with vectors of the test's choosing.

``deploy`` would compute them; here they are given, so that a test knows what every score must be.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.artefact import Artefact
from model_export.item_propagation import build

TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.25},
    "timeProperty": "at",
}


@cache
def _artefact(keys: tuple, vectors: bytes, dimension: int, options: tuple) -> Artefact:
    e, c = np.frombuffer(vectors, np.float32).reshape(2, len(keys), dimension)
    settings = dict(options)
    return build(
        model="lightgcn",
        item_label=settings["task"]["recommend"] if "task" in settings else "Item",
        keys=np.array(keys),
        layers=2,
        exponent=settings.get("exponent", 0.5),
        schema={"nodes": {"Item": {"key": "id", "properties": []}}, "relations": []},
        task=TASK,
        gnn4j_version="0.1.0",
        e=e,
        c=c,
        similarity=settings.get("similarity", "dot"),
        history=settings.get("history", 500),
        created_at="2026-11-21T10:00:00Z",
    )


def serve(server: Any, name: str, keys: list[int], e: NDArray, c: NDArray, **options: Any) -> Artefact:
    """Loads the artefact as a new version of ``name``, writes e and c on the items, points the alias.

    Args:
        keys: [N] – ``Item.id``.
        e, c: [N, D] float32 – what is scored against, what a user's vector is the sum of.
        options: ``exponent``, ``similarity``, ``history`` of the manifest.
    """
    vectors = np.stack([e, c]).astype(np.float32)
    artefact = _artefact(tuple(keys), vectors.tobytes(), e.shape[1], tuple(sorted(options.items())))
    record = server.execute(
        "CALL gnn.model.load($name, $core) YIELD version RETURN version", name=name, core=artefact.core_zip()
    )[0]
    version = record["version"]
    for file, index, piece in artefact.pieces():
        server.execute(
            "CALL gnn.model.addPart($name, $version, $file, $index, $bytes) YIELD state FINISH",
            name=name,
            version=version,
            file=file,
            index=index,
            bytes=bytes(piece),
        )
    write_vectors(server, f"gnn_{name}_v{version}", keys, e)
    write_vectors(server, f"gnn_{name}_v{version}_c", keys, c)
    server.execute(
        "MATCH (m:GnnModel {name: $name, version: $version}) SET m.state = 'ready'",
        name=name,
        version=version,
    )
    server.execute("CALL gnn.model.alias($name, $name) YIELD version FINISH", name=name)
    return artefact


def write_vectors(server: Any, name: str, keys: list[int], vectors: NDArray) -> None:
    """One vector property, stored as a list of FLOAT."""
    server.execute(
        f"UNWIND $rows AS row MATCH (i:Item {{id: row[0]}}) SET i.`{name}` = row[1]",
        rows=[[key, [float(x) for x in vector]] for key, vector in zip(keys, vectors, strict=True)],
    )
