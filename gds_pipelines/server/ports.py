"""The ports of the embedded server: finding free ones, and seeing who listens."""

import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import platformdirs
import psutil
from filelock import FileLock, Timeout

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.settings import LISTEN

BOLT_PORT = 7687
HTTP_PORT = 7474
_PORTS_TRIED = 200


@contextmanager
def reserved_port(wanted: int) -> Iterator[int]:
    """``wanted`` or the first free port above it, on both loopback addresses, held for us meanwhile.

    Neo4j binds its ports late in a start. Until then a lock file keeps this user's other starts away; against
    foreign programs only a second try helps.

    Raises:
        PipelineError: if 200 ports in a row are taken.
    """
    directory = platformdirs.user_cache_path("gnn4j") / "ports"
    directory.mkdir(parents=True, exist_ok=True)
    last = min(wanted + _PORTS_TRIED, 65536) - 1
    for port in range(wanted, last + 1):
        lock = FileLock(directory / f"{port}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            if is_free(port):
                yield port
                return
        finally:
            lock.release()
    raise PipelineError(
        f"All ports from {wanted} to {last} are taken. Name others with --bolt-port, --http-port."
    )


def is_free(port: int) -> bool:
    """Whether a server could listen there, on both loopback addresses."""
    for family, address in ((socket.AF_INET, LISTEN), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                if sys.platform != "win32":  # there the option would let us share a port that is in use
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError:
            if family == socket.AF_INET6 and not _has_ipv6():
                continue
            return False
    return True


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens there; somebody else's server may have won the port."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def serves(port: int) -> bool:
    """Whether the web server answers; it is the last thing that Neo4j starts."""
    try:
        with urllib.request.urlopen(f"http://{LISTEN}:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
