"""The generated shop as `gnn4j demo` leaves it, on the shared server, for tests of what a person finds."""

import pytest

from gds_pipelines import demo
from gds_pipelines.connection import connect
from gds_pipelines.training import TrainingOptions


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory):
    """The shared server with the shop loaded and a model deployed as 'shop'.

    What another module put in its place is removed first; a shop that is still whole is used again.
    """
    if not _is_there(server):
        server.clear()
        with connect(server.uri, server.user, server.password) as connection:
            demo.run(
                connection,
                "shop",
                tmp_path_factory.mktemp("shop"),
                options=TrainingOptions(threads=1, progress=False),
            )
    return server


def _is_there(server) -> bool:
    (found,) = server.execute(
        "RETURN gnn.model.exists('shop') AS model, COUNT { (:Item) } = 400 AS items, "
        "COUNT { (:User)-[:BUY]->(:Item)-[:IN_CATEGORY]->(:Category) } > 3000 AS purchases"
    )
    return all(found.values())
