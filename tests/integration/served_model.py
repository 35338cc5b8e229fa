"""A model that answers, put into the registry with vectors of the test's choosing.

``deploy`` would compute them; here they are given, so that a test knows what every score must be.
The user side is the golden's ``model.onnx``: two dimensions, exponent 1/2.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.artefact import Artefact, assemble
from model_export.canonical_json import parse_canonical
from model_export.vectors import encode, of_one_type

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "item_propagation"
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.25},
    "timeProperty": "at",
}

SCATTERED = (
    "MATCH (u:User), (i:Item) WHERE (u.id * 13 + i.id * 7) % 11 = 0 CREATE (u)-[:BUY {at: u.id + i.id}]->(i)"
)
"""Every eleventh pair of user and item, in no order, each at a time of its own."""


def fill(server: Any, items: int, users: int, buys: str, **parameters: Any) -> None:
    """An emptied database with items and users from 1 on; ``buys`` makes their relationships."""
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(1, $n) AS n CREATE (:Item {id: n})", n=items)
    server.execute("UNWIND range(1, $n) AS n CREATE (:User {id: n})", n=users)
    server.execute(buys, **parameters)


def artefact(keys: list[int], e: NDArray, c: NDArray, history: int = 500, **changes: Any) -> Artefact:
    """Finished vectors [N, 2] in an artefact; ``changes`` replace keys of the manifest."""
    manifest = parse_canonical((GOLDEN / "manifest.json").read_bytes())
    manifest["task"] = TASK
    manifest["schema"] = {
        "nodes": {label: {"key": "id", "properties": []} for label in ("Item", "User")},
        "relations": [],
    }
    manifest["propagation"] = {"layers": 2, "vectors": "final", "exponent": 0.5, "history": history}
    vectors = encode(of_one_type("Item", np.array(keys), e.astype(np.float32), c.astype(np.float32)))
    model = (GOLDEN / "model.onnx").read_bytes()
    return assemble({**manifest, **changes}, {"model.onnx": model, "vectors.arrow": vectors})


def serve(server: Any, name: str, keys: list[int], e: NDArray, c: NDArray, **options: Any) -> str:
    """Loads it as a new version of ``name``, writes e and c on the items, points the alias.

    Args:
        keys: [N] – ``Item.id``.
        e, c: [N, 2] – what is scored against, and what a user's vector is the sum of.
        options: of :func:`artefact`.
    Returns:
        The property that holds e; that of c has ``_c`` behind it.
    """
    made = artefact(keys, e, c, **options)
    loaded = server.execute(
        "CALL gnn.model.load($name, $core) YIELD version RETURN version", name=name, core=made.core_zip()
    )
    version = loaded[0]["version"]
    for file, index, piece in made.pieces():
        server.execute(
            "CALL gnn.model.addPart($name, $version, $file, $index, $bytes) YIELD state FINISH",
            name=name,
            version=version,
            file=file,
            index=index,
            bytes=bytes(piece),
        )
    embedding = f"gnn_{name}_v{version}"
    write_vectors(server, embedding, keys, e)
    write_vectors(server, f"{embedding}_c", keys, c)
    server.execute(
        "MATCH (m:GnnModel {name: $name, version: $version}) SET m.state = 'ready'",
        name=name,
        version=version,
    )
    server.execute("CALL gnn.model.alias($name, $name) YIELD version FINISH", name=name)
    return embedding


def write_vectors(server: Any, name: str, keys: list[int], vectors: NDArray) -> None:
    """One vector property, stored as a list of FLOAT."""
    server.execute(
        f"UNWIND $rows AS row MATCH (i:Item {{id: row[0]}}) SET i.`{name}` = row[1]",
        rows=[[key, [float(x) for x in vector]] for key, vector in zip(keys, vectors, strict=True)],
    )
