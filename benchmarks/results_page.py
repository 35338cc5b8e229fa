"""RESULTS.md, the figures of ``gnn4j models`` and those of the README, from the committed result files alone.

    .venv/bin/python -m benchmarks.results_page

Result files with the same ``table`` share one table, accuracy tables best first, with the mean of each model
that was measured with several seeds; the others get one each.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import highlights
from gds_pipelines import models

HERE = Path(__file__).parent
PAGE = HERE / "RESULTS.md"
FIGURES = HERE.parent / "gds_pipelines" / "models" / "measured.json"
ERRORS = ("rmse", "mae")
FIRST = (
    *(f"{metric}@{k}" for metric in ("recall", "ndcg", "hit_rate") for k in (10, 20)),
    *("auc", "accuracy", *ERRORS),
)
"""Metrics a table can be about: of the names in a row, the first that stands here orders it."""
HEAD = """# Results

Made by `python -m benchmarks.results_page` from the files under `benchmarks/*/results`; do not edit.
Every figure was measured by the command that stands with it. Intervals are 95 %, by bootstrap over users.
"""


def read(root: Path = HERE) -> list[dict[str, Any]]:
    """All result files, by path."""
    files = sorted(root.glob("*/results/*.json"))
    return [
        {"file": file.relative_to(root).as_posix()} | json.loads(file.read_text(encoding="utf-8"))
        for file in files
    ]


def page(results: Iterable[Mapping[str, Any]]) -> str:
    """The text of RESULTS.md."""
    tables: dict[str, list[Mapping[str, Any]]] = {}
    places: dict[str, list[str]] = {}
    for result in results:
        tables.setdefault(result.get("table", result["file"]), []).append(result)
        if where := _where(result):
            for row in result["rows"]:
                places.setdefault(row["model"], []).append(where)
    return HEAD + "".join(_section(group, places) for group in tables.values())


def measured(results: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Figures of models by name: data, protocol, figure, value, seed; the two main ones of each protocol."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if not _of_accuracy(result):
            continue
        for row in result["rows"]:
            for figure in [name for name in row if name in FIRST][:2]:
                entry = {
                    "data": result["dataset"],
                    "protocol": result.get("protocol", "all-ranking"),
                    "figure": figure,
                    "value": row[figure],
                    "seed": row["seed"],
                }
                found.setdefault(row["model"], []).append(entry)
    return {name: found[name] for name in sorted(found)}


def _section(group: list[Mapping[str, Any]], places: Mapping[str, list[str]]) -> str:
    rows = [row for result in group for row in result["rows"]]
    absent = ""
    if _of_accuracy(group[0]):
        absent = _absent(rows, places)
        rows = _best_first(rows)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [f"\n## {group[0]['title']}\n", _line(columns), _line(["---"] * len(columns))]
    lines += [_line([_shown(row.get(column)) for column in columns]) for row in rows]
    if absent:
        lines += ["", absent]
    compared = [_compared(result) for result in group]
    if any(compared):
        lines += ["", "Against the best baseline, paired over users:", ""]
        lines += [f"- {text}" for text in compared if text]
    lines += ["", "Made by:", "", "```"]
    lines += list(dict.fromkeys(result["command"] for result in group))
    lines += ["```", ""]
    lines += [f"- {text}" for text in dict.fromkeys(_conditions(result) for result in group)]
    return "\n".join(lines) + "\n"


def _of_accuracy(result: Mapping[str, Any]) -> bool:
    """Whether a result is a row of a protocol's table."""
    return str(result.get("table", "")).startswith("accuracy/")


def _where(result: Mapping[str, Any]) -> str | None:
    """The data whose table of models a result stands in; None for other results."""
    if _of_accuracy(result):
        return result["dataset"]
    if result["file"].startswith("models/"):
        return f"{Path(result['file']).stem} through Neo4j"
    return None


def _absent(rows: list[Mapping[str, Any]], places: Mapping[str, list[str]]) -> str:
    """Which models of the kind have no row in a table, and which others do."""
    rates, present = ERRORS[0] in rows[0], {row["model"] for row in rows}
    names = [name for name in models.registry() if models.recommender(name).info.rates == rates]
    texts = [
        f"{name} ({'see ' + ', '.join(dict.fromkeys(places[name])) if name in places else 'nowhere yet'})"
        for name in names
        if name not in present
    ]
    return f"Without a row here: {', '.join(texts)}." if texts else ""


def _best_first(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By the first metric (errors: smallest first), a mean over seeds before the seeds it is of."""
    metric = next(name for name in rows[0] if name in FIRST)
    better = 1 if metric in ERRORS else -1
    means: dict[str, float] = {}
    made = []
    for name in dict.fromkeys(row["model"] for row in rows):
        own = sorted((row for row in rows if row["model"] == name), key=lambda row: row.get("seed", 0))
        means[name] = sum(row[metric] for row in own) / len(own)
        if len(own) > 1:
            made.append({"model": name, "seed": f"mean of {len(own)}"} | _means(own))
        made += own
    return sorted(made, key=lambda row: (better * means[row["model"]], row["model"]))


def _means(rows: list[Mapping[str, Any]]) -> dict[str, float]:
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    return {
        name: round(sum(row[name] for row in rows) / len(rows), 5)
        for name in names
        if all(isinstance(row.get(name), float) for row in rows)
    }


def _compared(result: Mapping[str, Any]) -> str:
    texts = []
    for row in result.get("comparisons", []):
        low, high = row["interval95"]
        texts.append(
            f"{row['metric']} {row['difference']:+.4f} [{low:+.4f}, {high:+.4f}] against {row['baseline']}, "
            f"p {'<' if row['p'] < 0.001 else '='} {max(row['p'], 0.001):.3f}"
        )
    name, seed = result["rows"][0].get("model", ""), result["rows"][0].get("seed", "")
    return f"{name} (seed {seed}): {'; '.join(texts)}" if texts else ""


def _conditions(result: Mapping[str, Any]) -> str:
    note = f"; {result['note']}" if result.get("note") else ""
    first = result["rows"][0] if result["rows"] else {}
    name = f"{first['model']}: " if "model" in first else ""
    return f"{name}{result['date']}, {result['machine']}{note}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def main() -> None:
    results = read()
    PAGE.write_text(page(results), encoding="utf-8")
    FIGURES.write_text(json.dumps(measured(results), indent=1) + "\n", encoding="utf-8")
    text = highlights.README.read_text(encoding="utf-8")
    highlights.README.write_text(highlights.refreshed(text, results), encoding="utf-8")


if __name__ == "__main__":
    main()
