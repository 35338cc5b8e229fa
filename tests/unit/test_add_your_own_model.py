"""The walk-through of docs/add-your-own-model.md, done: the file is put in place, found, measured, saved."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gds_pipelines import models
from gds_pipelines.cli import app
from gds_pipelines.interactions import Interactions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-your-own-model.md"


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The page's file beside the other models, as in a clone."""
    (tmp_path / "jaccard.py").write_text(re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    models.registry.cache_clear()
    yield models.recommender("jaccard")
    models.registry.cache_clear()


def test_the_file_of_the_page_is_a_model_and_computes_what_it_says(added, tmp_path):
    rng = np.random.default_rng(2)
    data = Interactions.from_indices(
        rng.integers(0, 30, 150), rng.integers(0, 12, 150), user_keys=np.arange(30), item_keys=np.arange(12)
    )
    model = added({"shrink": 2.0, "neighbours": 12}).fit(data)
    x = data.matrix.toarray() > 0
    expected = np.zeros((12, 12))
    for i in range(12):
        for j in range(12):
            if i != j:
                expected[i, j] = (x[:, i] & x[:, j]).sum() / ((x[:, i] | x[:, j]).sum() + 2.0)
    assert model.scores(np.arange(30)) == pytest.approx(x @ expected, abs=1e-5)
    loaded = models.load(model.save(tmp_path / "kept"))
    assert loaded.recommend([3], 5).items.tolist() == model.recommend([3], 5).items.tolist()
    assert model.payload().contract == added.info.contract


def test_the_commands_of_the_page_are_accepted(added, tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    for name, low in (("train", 0), ("test", 12)):
        lines = [f"{user} " + " ".join(map(str, rng.permutation(12)[:6] + low)) for user in range(40)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^gnn4j (.*)$", PAGE.read_text(), re.MULTILINE)
    measured = next(command for command in commands if command.startswith("benchmark"))
    found = CliRunner().invoke(app, [*shlex.split(measured), "--no-baselines"])
    assert found.exit_code == 0, found.output
    assert "best of 4 trials" in found.stdout
    assert (tmp_path / "pictures" / "bars.svg").is_file()
    for command in commands:
        words = shlex.split(command)
        assert CliRunner().invoke(app, [words[0], "--help"]).exit_code == 0
    assert models.recommender("jaccard")({"shrink": "3"}).parameters.shrink == 3.0


def test_a_package_of_its_own_brings_models_by_entry_point(added, monkeypatch):
    class Entry:
        name, value = "mine", "mine:Mine"

        def __init__(self, loaded):
            self.loaded = loaded

        def load(self):
            return self.loaded

    info = models.recommender("itemknn").info
    mine = type(
        "Mine", (models.recommender("itemknn"),), {"info": type(info)("mine", "M", "own", info.contract)}
    )
    monkeypatch.setattr(models.importlib.metadata, "entry_points", lambda group: [Entry(mine)])
    models.registry.cache_clear()
    assert models.recommender("mine") is mine
    monkeypatch.setattr(models.importlib.metadata, "entry_points", lambda group: [Entry(int)])
    models.registry.cache_clear()
    with pytest.raises(models.PipelineError, match="no Recommender"):
        models.registry()
