"""The pictures of the pages in ``docs``, made from the committed result files and nothing else.

.venv/bin/python -m benchmarks.pictures
"""

from pathlib import Path
from typing import Any

from benchmarks import results_page
from gds_pipelines import plots

FOLDER = Path(__file__).parents[1] / "docs" / "images"
TABLES = ("gowalla", "lastfm-recbole-8-1-1")


def rows_of(table: str) -> tuple[list[dict[str, Any]], list[str], str]:
    """Rows as ``plots.draw`` takes them, the two main figures and the title of one table; seed 1 only."""
    found, figures, title = [], [], ""
    for result in results_page.read():
        row = result["rows"][0]
        if result.get("table") != f"accuracy/{table}" or row["seed"] != 1:
            continue
        named = [name for name in row if name in results_page.FIRST]
        figures, title = named[:2], result["title"]
        ends = {
            name: [float(end) for end in row[f"{name.partition('@')[0]} 95 %"].split("–")] for name in figures
        }
        found.append(
            {
                "model": row["model"],
                "baseline": result["baseline"],
                "figures": {name: row[name] for name in named},
                "intervals95": ends,
                "seconds": {"fit": row["fit CPU s"]},
                "training": {"history": result.get("history") or []},
            }
        )
    found.sort(key=lambda row: -row["figures"][figures[0]])
    return found, figures, title


def main() -> None:
    for table in TABLES:
        found, figures, title = rows_of(table)
        if found:
            plots.draw(found, figures, title, FOLDER / table)


if __name__ == "__main__":
    main()
