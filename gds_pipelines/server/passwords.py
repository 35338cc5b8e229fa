"""The passwords of the embedded server: generated, kept in files of their own, given to a new database."""

import os
import secrets
import shutil
import string
import subprocess
from pathlib import Path

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.home import Home, write_private
from gds_pipelines.server.java import Java
from gds_pipelines.server.settings import write_configuration

USER = "neo4j"


def password_file(home: Home, user: str = USER) -> Path:
    """The file that holds the password of ``neo4j`` or of the worker."""
    return home.root / ("password" if user == USER else f"password-{user}")


def read_password(home: Home, user: str = USER) -> str:
    """The generated password.

    Raises:
        PipelineError: if the file is gone.
    """
    path = password_file(home, user)
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PipelineError(
            f"The password file '{path}' cannot be read ({error.strerror}). "
            f"Give the password in NEO4J_PASSWORD instead."
        ) from error


def new_password() -> str:
    """24 random letters and digits, 142 bits; no sign that a shell or an option parser would understand."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))


def first_password(home: Home, java: Java) -> str:
    """The administrator's password; made, and given to a new database, at the first start.

    Raises:
        PipelineError: there is data, but its password file is gone; or Neo4j would not take the password.
    """
    path = password_file(home)
    new_database = not (home.data / "databases").exists()
    if path.exists() and not new_database:
        return read_password(home)
    if not new_database:
        raise PipelineError(
            f"There is data in '{home.data}', but its password file '{path}' is gone. Write the password "
            f"of user '{USER}' into that file, or move the directory '{home.data}' away to begin anew."
        )
    password = read_password(home) if path.exists() else new_password()
    write_private(path, password + "\n")
    shutil.rmtree(home.data / "dbms", ignore_errors=True)
    write_configuration(home, {"server.directories.data": str(home.data)})
    admin = [str(java.executable), "-cp", str(home.lib / "*"), "org.neo4j.server.startup.Neo4jAdminCommand"]
    result = subprocess.run(
        # "@file" keeps the password out of the process list.
        [*admin, "dbms", "set-initial-password", f"@{path}"],
        env=os.environ | {"NEO4J_HOME": str(home.root), "NEO4J_CONF": str(home.conf)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if result.returncode != 0:
        raise PipelineError(f"Neo4j would not take the first password: {result.stderr or result.stdout}")
    return password
