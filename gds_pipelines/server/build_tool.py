"""Runs our own Maven with any arguments, on the Java that the server uses: for the Makefile.

python -m gds_pipelines.server.build_tool -f cypher/plugin/pom.xml test
"""

import subprocess
import sys

from gds_pipelines.console import fail_in_words, steps
from gds_pipelines.server.home import Home
from gds_pipelines.server.java import find_java
from gds_pipelines.server.maven import Maven


def main(arguments: list[str]) -> int:
    """Maven's exit code; the distribution is fetched first when it is not in the home."""
    with fail_in_words():
        home = Home.default()
        maven = Maven(home.maven, find_java())
        with home.locked("install"), steps() as report:
            maven.fetch(report)
        command = [str(maven.executable), "-B", "-ntp", *arguments]
        return subprocess.run(command, env=maven.environment(), check=False).returncode
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
