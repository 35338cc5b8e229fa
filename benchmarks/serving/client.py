"""One client of a serving benchmark: a process with a connection of its own that asks and keeps the time.

    python -m benchmarks.serving.client

Reads one line of JSON, ``{uri, auth, statement, parameters, users, warm, seconds}``, asks for ``warm``
seconds without a clock, says ``ready``, waits for another line, asks for ``seconds`` and writes the
latencies, in seconds, as one JSON list. It imports nothing else, so that sixteen of them start soon.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator

import neo4j


def ask(one: Callable[[int], None], users: Iterator[int], seconds: float, least: int) -> list[float]:
    """Latencies of one question after the other for so long, of ``least`` at any rate."""
    taken, begun = [], time.perf_counter()
    while len(taken) < least or time.perf_counter() - begun < seconds:
        user = next(users)
        before = time.perf_counter()
        one(user)
        taken.append(time.perf_counter() - before)
    return taken


def main() -> None:
    given = json.loads(sys.stdin.readline())
    users = itertools.cycle(given["users"])
    with neo4j.GraphDatabase.driver(
        given["uri"], auth=tuple(given["auth"]), notifications_min_severity="OFF"
    ) as driver:

        def one(user: int) -> None:
            driver.execute_query(given["statement"], user=user, key=user, **given["parameters"])

        ask(one, users, given["warm"], 3)
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(ask(one, users, given["seconds"], 3)), flush=True)


if __name__ == "__main__":
    main()
