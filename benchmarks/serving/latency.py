"""Latencies of clients that ask at the same time, each a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.transfer.bench_server import BenchServer

WARM_SECONDS = 2.0


def of_clients(
    server: BenchServer,
    count: int,
    statement: str,
    parameters: Mapping[str, Any],
    users: Sequence[Any],
    seconds: float,
) -> list[float]:
    """Seconds of each answer; ``users``, dealt out to the clients, become ``$user`` and ``$key``."""
    asked = {
        "uri": server.uri, "auth": server.auth, "statement": statement, "parameters": dict(parameters),
        "warm": min(WARM_SECONDS, seconds), "seconds": seconds,
    }  # fmt: skip
    clients = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.client"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for _ in range(count)
    ]  # fmt: skip
    try:
        for at, client in enumerate(clients):
            say(client, json.dumps({**asked, "users": list(users[at::count])}))
        for client in clients:
            hear(client)
        for client in clients:
            say(client, "go")
        return [one for client in clients for one in json.loads(hear(client))]
    finally:
        for client in clients:
            client.kill()
            client.wait()


def say(client: subprocess.Popen[str], line: str) -> None:
    assert client.stdin
    client.stdin.write(line + "\n")
    client.stdin.flush()


def hear(client: subprocess.Popen[str]) -> str:
    """The next line.

    Raises:
        RuntimeError: the client ended; what it said stands on the console.
    """
    assert client.stdout
    if line := client.stdout.readline():
        return line
    raise RuntimeError(f"A client ended with {client.wait()} before it had answered.")


def summary(taken: Sequence[float], count: int, lists: int = 1) -> dict[str, float]:
    """Milliseconds by rank, and lists a second, of calls that each gave ``lists``."""
    low, high, highest = np.percentile(taken, [50, 95, 99]) * 1e3
    return {
        "clients": count, "p50 ms": float(low), "p95 ms": float(high), "p99 ms": float(highest),
        "lists/s": float(lists * count / np.mean(taken)), "calls": len(taken),
    }  # fmt: skip
