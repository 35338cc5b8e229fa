"""``gnn4j doctor``: what is wrong with a set-up, and what to do."""

from dataclasses import asdict

import typer

from gds_pipelines.command_options import Json, Uri
from gds_pipelines.console import fail_in_words, out, plain, print_json

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(parent: typer.Typer) -> None:
    parent.command("doctor")(doctor_command)


def doctor_command(
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Check Python, packages, Java, memory, disk, the server, plugin, GDS and GPU; say what to do.

    Exits with 1 when something stands in the way; a warning does not.

    Example:  gnn4j doctor
    """
    with fail_in_words(json):
        from gds_pipelines.doctor import examine

        findings = examine(uri)
        failed = any(finding.state == "fail" for finding in findings)
        if json:
            print_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
        else:
            width = max(len(finding.check) for finding in findings)
            for finding in findings:
                state = f"[{COLOURS[finding.state]}]{finding.state:<4}[/]"
                out.print(f"{state}  {finding.check:<{width}}  {plain(finding.found)}")
                if finding.advice:
                    out.print(f"{'':<{width + 8}}{plain(finding.advice)}")
    if failed:
        raise typer.Exit(1)
