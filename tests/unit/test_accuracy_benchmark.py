"""Which baseline a benchmark compares a model with."""

import json

import numpy as np
import pytest

from benchmarks.accuracy import run
from gds_pipelines import protocols


def values(place, label, recall, baseline):
    """Twenty users who all have one value."""
    place.mkdir(exist_ok=True)
    figures = {f"{metric}@20": np.full(20, recall) for metric in ("recall", "ndcg")}
    np.savez(place / f"{label}.npz", baseline=np.array(baseline), users=np.arange(20), **figures)


def test_a_tuned_baseline_is_the_one_to_beat_and_another_model_is_not(tmp_path):
    for label, recall, baseline in (
        ("rp3beta", 0.12, True),
        ("rp3beta-tuned", 0.18, True),
        ("other", 0.3, False),
        ("ours", 0.19, False),
    ):
        values(tmp_path, label, recall, baseline)
    rows = run.against(tmp_path, "ours", protocols.get("all-ranking"))
    assert [(row["metric"], row["baseline"]) for row in rows] == [
        ("recall@20", "rp3beta-tuned"),
        ("ndcg@20", "rp3beta-tuned"),
    ]
    assert rows[0]["difference"] == pytest.approx(0.01)


def test_comparing_again_changes_the_comparisons_alone(tmp_path):
    values(tmp_path / "kept", "popularity", 0.1, True)
    values(tmp_path / "kept", "ours", 0.2, False)
    path = tmp_path / "gowalla-ours-seed1.json"
    path.write_text(json.dumps({"title": "as it was", "rows": [{"model": "ours"}], "comparisons": []}))
    run.compare_again(path, tmp_path / "kept", "ours", protocols.get("all-ranking"))
    after = json.loads(path.read_text())
    assert after.pop("comparisons")[0]["baseline"] == "popularity"
    assert after == {"title": "as it was", "rows": [{"model": "ours"}]}


def test_comparing_what_was_never_measured_says_so(tmp_path):
    with pytest.raises(SystemExit, match="measure it first"):
        run.compare_again(tmp_path / "absent.json", tmp_path, "ours", protocols.get("all-ranking"))
