"""The command line as a whole: help, errors, exit codes."""

import json
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from gds_pipelines.cli import app
from gds_pipelines.console import fail_in_words
from gds_pipelines.errors import PipelineError

runner = CliRunner()


def commands(group=None, path=()):
    """Every command below the application with its path."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands()),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_help_text_has_an_example_that_is_this_command(path, command):
    assert f"gnn4j {' '.join(path)}" in command.help.partition("Example:")[2]
    assert runner.invoke(app, [*path, "--help"]).exit_code == 0


@pytest.mark.parametrize("verb", ["train", "evaluate", "demo"])
def test_help_names_the_model_that_is_taken_where_none_is_named(verb):
    from gds_pipelines.models import DEFAULT_MODEL

    option = next(option for option in dict(commands())[verb,].params if "--model" in option.opts)
    assert str(option.show_default).split()[0] == DEFAULT_MODEL


def test_help_comes_without_loading_what_is_heavy():
    heavy = "{'torch', 'pandas', 'neo4j', 'numpy'}"
    code = f"import sys, gds_pipelines.cli; print(*sorted({heavy} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == ""
    )


def test_an_unknown_verb_exits_with_2():
    assert runner.invoke(app, ["recomend"]).exit_code == 2


def test_a_user_error_is_one_sentence_and_exit_code_1(capsys):
    with pytest.raises(typer.Exit) as ended, fail_in_words():
        raise PipelineError("The file 'a[1].csv' is empty.")
    assert ended.value.exit_code == 1
    captured = capsys.readouterr()
    assert captured.err == "Error: The file 'a[1].csv' is empty.\n"
    assert captured.out == ""


def test_with_json_the_error_is_a_document_too(capsys):
    with pytest.raises(typer.Exit), fail_in_words(as_json=True):
        raise PipelineError("No.")
    assert json.loads(capsys.readouterr().out) == {"error": "No."}


def test_a_fault_of_ours_keeps_its_stack_trace():
    with pytest.raises(ZeroDivisionError), fail_in_words():
        raise ZeroDivisionError


def test_status_of_a_home_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path / "home"))
    result = runner.invoke(app, ["server", "status", "--json"])
    assert result.exit_code == 0
    status = json.loads(result.stdout)
    assert (status["state"], status["uri"], status["pid"]) == ("not installed", None, None)
    assert status["home"] == str(tmp_path / "home")
    assert {"uri", "http", "user", "passwordFile", "home", "pid"} <= set(status)
    assert not (tmp_path / "home").exists()  # looking changes nothing


def test_the_plugin_needs_a_directory_that_exists(tmp_path, monkeypatch):
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path / "home"))
    result = runner.invoke(app, ["server", "plugin", "--to", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "is not a directory" in result.stderr


def test_models_are_listed_with_source_kinds_what_they_read_and_figures():
    shown = " ".join(runner.invoke(app, ["models", "mf-ratings"], env={"COLUMNS": "200"}).stdout.split())
    for part in (
        "Salakhutdinov & Mnih 2008",
        "vectors/1",
        "user-item and item-item",
        "reads interactions, ratings",
    ):
        assert part in shown
    assert re.search(r"movielens-1m, ratings: rmse 0\.\d{4}, mae 0\.\d{4} \(mean of 3\)", shown)
    assert "samples" in shown


def test_the_name_of_a_data_set_is_no_file_and_the_option_is_named():
    found = runner.invoke(app, ["ingest", "movielens-1m"])
    assert found.exit_code == 1
    assert "'movielens-1m' is a data set and no file here; give --dataset movielens-1m" in found.stderr
