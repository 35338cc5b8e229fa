"""The embedded server through its life, with real processes: started twice at once, killed, stopped, broken.

The tests run in the order of the file, on one home: each start of a JVM is expensive.
"""

import json
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import neo4j
import psutil
import pytest

from gds_pipelines.errors import PipelineError
from gds_pipelines.server import passwords, ports, process
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent

pytestmark = pytest.mark.server

SMALL = {
    "memory": Memory(heap=512, page_cache=128),
    "extra": {"server.jvm.additional": "-XX:TieredStopAtLevel=1"},
}
START = """
import json, sys
from pathlib import Path
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent
root, software, bolt = sys.argv[1:]
server = EmbeddedServer(Home(Path(root), software=Path(software)))
memory, extra = Memory(heap=512, page_cache=128), {"server.jvm.additional": "-XX:TieredStopAtLevel=1"}
status = server.start(Silent(), memory=memory, extra=extra, bolt_port=int(bolt))
print(json.dumps(status.as_dict()))
"""


@pytest.fixture(scope="module")
def embedded(software, tmp_path_factory):
    """A server of its own for this module; whatever is left of it at the end is killed."""
    # A blank in the name, as in the data directory of macOS.
    server = EmbeddedServer(Home(tmp_path_factory.mktemp("life") / "a home", software=software.root))
    yield server
    process.kill(server.home)


def names(embedded, query="MATCH (n:Kept) RETURN n.name AS name", **parameters):
    status = embedded.status()
    with neo4j.GraphDatabase.driver(status.uri, auth=(status.user, embedded.password())) as driver:
        return [record["name"] for record in driver.execute_query(query, parameters_=parameters).records]


def test_two_starts_at_once_beside_a_taken_port_give_one_server(embedded, software):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        def start():
            command = [sys.executable, "-c", START, str(embedded.home.root), str(software.root), str(port)]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        with ThreadPoolExecutor(2) as two:
            results = list(two.map(lambda _: start(), range(2)))
    assert [result.returncode for result in results] == [0, 0], results[0].stderr + results[1].stderr
    one, other = (json.loads(result.stdout) for result in results)
    assert one == other == embedded.status().as_dict()
    assert one["state"] == "running"
    assert not one["uri"].endswith(f":{port}")
    names(embedded, "CREATE (n:Kept {name: 'kept'}) RETURN n.name AS name")


def test_it_listens_on_loopback_only(embedded):
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.Process(embedded.status().pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_the_worker_signs_in_with_a_password_file_of_its_own(embedded):
    for user in ("neo4j", "gnn_worker"):
        mode = passwords.password_file(embedded.home, user).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert embedded.password("gnn_worker") != embedded.password()
    auth = ("gnn_worker", embedded.password("gnn_worker"))
    with neo4j.GraphDatabase.driver(embedded.status().uri, auth=auth) as driver:
        assert driver.execute_query("SHOW CURRENT USER YIELD user").records[0]["user"] == "gnn_worker"


def test_no_password_is_seen_in_the_process_list(embedded):
    told = psutil.Process(embedded.status().pid)
    assert embedded.password() not in " ".join([*told.cmdline(), *told.environ().values()])


def test_a_server_whose_state_file_was_lost_is_found(embedded):
    before = embedded.status()
    (embedded.home.run / "server.json").unlink()
    assert embedded.status().as_dict() == before.as_dict()


def test_a_killed_server_is_recognised_and_started_again_with_its_data(embedded, monkeypatch):
    before = embedded.status()
    victim = psutil.Process(before.pid)
    victim.send_signal(signal.SIGKILL)
    victim.wait(30)
    assert embedded.status().state == "stopped"
    # Another program has got the number meanwhile: this one.
    recorded = {"pid": os.getpid(), "bolt": 1, "http": 2, "plugin_sha256": "", "log_offset": 0}
    (embedded.home.run / "server.json").write_text(json.dumps(recorded))
    assert embedded.status().state == "stopped"

    # And a third one takes the port between our look at it and Neo4j's own bind.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        blind = iter([True])
        real = ports.is_free
        monkeypatch.setattr(ports, "is_free", lambda port: next(blind, False) or real(port))
        after = embedded.start(Silent(), **SMALL, bolt_port=port)
    assert not after.uri.endswith(f":{port}")
    assert after.state == "running"
    assert after.pid != before.pid
    assert names(embedded) == ["kept"]


def test_a_stop_is_clean_and_a_second_one_says_there_was_nothing(embedded):
    pid = embedded.status().pid
    assert embedded.stop() is True
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert embedded.status().state == "stopped"
    assert "Stopped." in process.log_tail(embedded.home.log)[-1]
    assert embedded.stop() is False


def test_a_start_that_fails_shows_the_end_of_the_log(embedded):
    name = f"server.{secrets.token_hex(4)}"
    (embedded.home.conf / "own.conf").write_text(f"{name}=1\n")
    with pytest.raises(process.ServerFailed) as error:
        embedded.start(Silent(), **SMALL)
    assert "ended while it was starting" in str(error.value)
    assert name in str(error.value)
    assert embedded.status().state == "stopped"
    (embedded.home.conf / "own.conf").unlink()


def test_data_without_its_password_is_not_overwritten(embedded):
    password = passwords.password_file(embedded.home)
    aside = password.rename(password.with_name("aside"))
    with pytest.raises(PipelineError, match=r"There is data in .* password file .* is gone"):
        embedded.start(Silent(), **SMALL)
    aside.rename(password)
