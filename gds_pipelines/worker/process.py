"""The worker as a process: who it is, and one beside the embedded server.

The worker beside the server is known by its process number and the moment it began, so that another program
with the same number misleads nobody.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import HOME_VARIABLE, Home, write_private
from gds_pipelines.server.passwords import password_file
from gds_pipelines.server.settings import WORKER

log = logging.getLogger(__name__)

STOP_SECONDS = 60
AWAY_SECONDS = 2.0
_LOOK_SECONDS = 1.0


def worker_name() -> str:
    """Host and process number: who this is among the workers of a database."""
    return f"{socket.gethostname()}:{os.getpid()}"


def device() -> str:
    """What this process trains on, in words."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def user_for(uri: str | None) -> str | None:
    """Whom to sign in as: the embedded server's own worker user, unless variables name somebody.

    Returns:
        None where ``connection.resolve`` is to decide.
    """
    named = any(os.environ.get(name) for name in ("NEO4J_USERNAME", "NEO4J_USER", "NEO4J_PASSWORD"))
    from gds_pipelines.connection import resolve  # the driver takes a second to import

    embedded = EmbeddedServer()
    if named or not password_file(embedded.home, WORKER).exists():
        return None
    try:
        target = resolve(uri, user=WORKER)
    except PipelineError:
        return None
    return WORKER if target.password else None


def jobs_directory() -> Path:
    """Where folders of jobs are kept when no other place is named."""
    return Home.default().root / "jobs"


def end_without_database(uri: str, seconds: float = AWAY_SECONDS) -> None:
    """Have this process end when it was told to and nobody answers at ``uri``, whatever it waits for then.

    The driver tries for half a minute, and cannot be told to stop. There is nobody to hand a job back to: its
    lease runs out, as after a kill. While the database answers, the work ends by itself at its next good
    moment.

    Args:
        seconds: how long a database may be away before it is not waited for.
    """

    def watch() -> None:
        time.sleep(seconds)
        while answers(uri):
            time.sleep(_LOOK_SECONDS)
        log.warning("Ends without a word to Neo4j, which is away; its job goes on when the lease has run out")
        os._exit(0)

    threading.Thread(target=watch, name="end", daemon=True).start()


def answers(uri: str) -> bool:
    """Whether anything takes a connection at the address of a driver."""
    parts = urlsplit(uri)
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or 7687), _LOOK_SECONDS):
            return True
    except OSError:
        return False


# ---------------------------------------------------------------- beside the embedded server


def start(home: Home) -> int:
    """Start a worker beside the server of this home, or leave the one that runs; its process number."""
    running = find(home)
    if running is not None:
        return running.pid
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEO4J_")}
    environment[HOME_VARIABLE] = str(home.root)
    # A terminal's Ctrl-C must not reach the worker.
    detached: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    home.logs.mkdir(parents=True, exist_ok=True)
    with log_file(home).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gds_pipelines.cli", "worker"],
            cwd=home.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **detached,
        )
    began = psutil.Process(process.pid).create_time()
    write_private(_state_file(home), json.dumps({"pid": process.pid, "began": began}))
    return process.pid


def find(home: Home) -> psutil.Process | None:
    """The worker that ``start`` left running beside this home's server."""
    try:
        state = json.loads(_state_file(home).read_text(encoding="utf-8"))
        process = psutil.Process(state["pid"])
        alive = process.create_time() == state["began"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process if alive else None


def stop(home: Home, seconds: float = STOP_SECONDS) -> bool:
    """End the worker beside this home's server; the job it has is handed back. False when none runs."""
    process = find(home)
    _state_file(home).unlink(missing_ok=True)
    if process is None:
        return False
    try:
        process.terminate()
        process.wait(seconds)
    except psutil.TimeoutExpired:
        process.kill()  # its lease runs out, and its job goes on elsewhere
    except psutil.NoSuchProcess:
        pass
    return True


def log_file(home: Home) -> Path:
    """What the worker says."""
    return home.logs / "worker.log"


def _state_file(home: Home) -> Path:
    return home.run / "worker.json"
