"""One figure of each row of a result file as a bar; the same rows give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw(rows: Sequence[Mapping[str, Any]], figures: Mapping[str, str], label: str, path: Path) -> Path:
    """Writes an SVG with a bar a row for each figure, longest scale logarithmic, the names at its left.

    Args:
        rows: with the column ``way``; rows that lack a figure have no bar for it.
        figures: columns of positive numbers, and what the legend calls them.
        label: below the axis.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "gnn4j", "svg.fonttype": "none"}
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(9, 1 + 0.3 * len(rows) * len(figures)), layout="constrained")
    height = 0.8 / len(figures)
    for place, (column, name) in enumerate(figures.items()):
        found = [(at, row[column]) for at, row in enumerate(rows) if row.get(column)]
        bars = axis.barh(
            [at + place * height for at, _ in found], [value for _, value in found], height, label=name
        )
        axis.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
    axis.set_xscale("log")
    axis.set_yticks(
        [at + 0.4 - height / 2 for at in range(len(rows))], [row["way"] for row in rows], fontsize=8
    )
    axis.invert_yaxis()
    axis.set_xlabel(label)
    axis.margins(x=0.15)
    if len(figures) > 1:
        axis.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path
