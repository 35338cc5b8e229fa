"""The worker beside the embedded server: known by number and beginning, never mistaken for a program."""

import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from gds_pipelines.server.home import Home
from gds_pipelines.worker import process


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path)
    made.create()
    return made


def remember(home, pid, began):
    (home.run / "worker.json").write_text(json.dumps({"pid": pid, "began": began}), encoding="utf-8")


def test_a_foreign_program_with_the_number_of_a_worker_that_died_is_no_worker(home):
    assert process.find(home) is None
    own = psutil.Process()
    remember(home, os.getpid(), own.create_time() - 100)
    assert process.find(home) is None
    assert process.stop(home) is False  # or this test would end here
    remember(home, os.getpid(), own.create_time())
    assert process.find(home).pid == os.getpid()


def test_a_worker_that_runs_is_ended_and_a_damaged_note_is_none(home):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    remember(home, sleeper.pid, psutil.Process(sleeper.pid).create_time())
    assert process.stop(home)
    sleeper.wait(60)
    assert process.find(home) is None
    (home.run / "worker.json").write_text("{", encoding="utf-8")
    assert process.stop(home) is False


def test_a_worker_that_is_told_to_end_waits_for_no_database_that_is_away():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # not listening: whoever comes is refused
        uri = f"bolt://127.0.0.1:{server.getsockname()[1]}"
        assert not process.answers(uri)
        ended = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import time; from gds_pipelines.worker import process\n"
                f"process.end_without_database({uri!r}, 0.0); time.sleep(600); raise SystemExit(7)",
            ],
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0
        assert b"which is away" in ended.stderr
        server.listen()
        assert process.answers(uri)


def test_whoever_variables_name_is_asked_to_sign_in(home, monkeypatch):
    monkeypatch.setenv("GNN4J_HOME", str(home.root))
    for name in ("NEO4J_USERNAME", "NEO4J_USER", "NEO4J_PASSWORD", "NEO4J_URI"):
        monkeypatch.delenv(name, raising=False)
    assert process.user_for("bolt://elsewhere:7687") is None  # there is no embedded server
    process.password_file(home, process.WORKER).write_text("secret\n", encoding="utf-8")
    assert process.user_for("bolt://elsewhere:7687") is None
    monkeypatch.setenv("NEO4J_USERNAME", "trainer")
    assert process.user_for(None) is None
    assert process.jobs_directory() == home.root / "jobs"
