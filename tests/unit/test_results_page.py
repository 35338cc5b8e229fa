import json

import pytest

from benchmarks import highlights, results_page


def test_the_committed_page_and_figures_are_made_from_the_committed_files():
    results = results_page.read()
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page(results)
    assert json.loads(results_page.FIGURES.read_text(encoding="utf-8")) == results_page.measured(results)
    readme = highlights.README.read_text(encoding="utf-8")
    assert readme == highlights.refreshed(readme, results)


def test_every_result_says_how_it_was_made():
    for result in results_page.read():
        assert {"title", "command", "machine", "date", "rows"} <= set(result), result["file"]
        assert result["rows"], result["file"]


def test_files_of_one_table_stand_together_best_first(tmp_path):
    folder = tmp_path / "accuracy" / "results"
    folder.mkdir(parents=True)
    for name, value in (("weak", 0.1), ("strong", 0.2)):
        row = {"model": name, "recall@20": value, "ndcg@20": value / 2, "seed": 1}
        against = {
            "metric": "recall@20",
            "baseline": "x",
            "difference": 0.1,
            "interval95": [0.0, 0.2],
            "p": 0.0005,
        }
        result = {"title": "T", "command": f"run {name}", "machine": "m", "date": "d", "rows": [row]}
        result |= {"table": "accuracy/t", "dataset": "t", "comparisons": [against]}
        (folder / f"{name}.json").write_text(json.dumps(result))
    results = results_page.read(tmp_path)
    text = results_page.page(results)
    assert text.count("## T") == 1
    assert text.index("| strong |") < text.index("| weak |")
    assert "recall@20 +0.1000 [+0.0000, +0.2000] against x, p < 0.001" in text
    assert "run strong" in text
    assert results_page.measured(results)["strong"][0]["value"] == 0.2


def test_a_table_says_which_models_have_no_row_and_where_they_have_one():
    def result(dataset, model, figure="recall@20"):
        row = {"model": model, figure: 0.1, "seed": 1}
        made = {"title": dataset, "command": "c", "machine": "m", "date": "d", "rows": [row]}
        return made | {
            "table": f"accuracy/{dataset}",
            "dataset": dataset,
            "file": f"accuracy/results/{dataset}",
        }

    through = result("x", "hgt") | {"file": "models/results/film.json"}
    del through["table"]
    given = [result("a", "fism"), result("b", "neumf"), result("c", "mf-ratings", "rmse"), through]
    first, second, third = (
        line for line in results_page.page(given).splitlines() if line.startswith("Without a row here")
    )
    assert "neumf (see b)" in first
    assert "hgt (see film through Neo4j)" in first
    assert "ease (nowhere yet)" in first
    assert "fism (see a)" in second
    assert not any(f" {name} (" in first for name in ("fism", "mf-ratings"))
    assert third == "Without a row here: mean-ratings (nowhere yet)."


def test_the_readme_cannot_keep_a_figure_that_is_in_no_result_file():
    readme = highlights.README.read_text(encoding="utf-8")
    results = [one for one in results_page.read() if one["file"] != "serving/results/lists.json"]
    with pytest.raises(LookupError, match="No result file serving"):
        highlights.refreshed(readme, results)
    with pytest.raises(ValueError, match="figures"):
        highlights.refreshed("# A page without a place for them\n", results)
