"""Pictures of measured models, from the maps that ``benchmarking.compare`` gives: SVG or PNG, by matplotlib.

bars       the main figures of each model with their 95 % intervals
time       accuracy against the seconds of training
learning   loss, and validation figures where there were any, by epoch
The same map gives the same bytes (SVG), so a picture that is kept changes only when a figure does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gds_pipelines.errors import InvalidInput, PipelineError

FORMATS = ("svg", "png")
MODEL, BASELINE = "#1b6ca8", "#9aa5b1"


def draw(
    rows: Sequence[Mapping[str, Any]], figures: Sequence[str], title: str, directory: Path, kind: str = "svg"
) -> list[Path]:
    """Write the pictures that ``rows`` allow into ``directory`` (made where it is missing).

    Args:
        rows: ``model, baseline, figures, intervals95, seconds`` and, where it learned by steps, ``training``.
        figures: names such as ``recall@20``, the first of which is set against time.
        kind: 'svg' or 'png'.
    Returns:
        The files written.
    Raises:
        InvalidInput: no rows, a figure that no row has, or an unknown kind.
        PipelineError: matplotlib is not installed, or the directory cannot be written.
    """
    faults = [] if rows else ["there is nothing to draw"]
    faults += [
        f"'{name}' was not measured" for name in figures if any(name not in row["figures"] for row in rows)
    ]
    if kind not in FORMATS:
        faults.append(f"'{kind}' is no kind of picture; known: {', '.join(FORMATS)}")
    if faults:
        raise InvalidInput("Pictures", faults)
    try:
        import matplotlib
    except ImportError as error:
        raise PipelineError("Pictures need matplotlib: pip install matplotlib.") from error
    made = [
        ("bars", lambda pyplot: _bars(pyplot, rows, figures, title)),
        ("time", lambda pyplot: _time(pyplot, rows, figures[0], title)),
        ("learning", lambda pyplot: _learning(pyplot, rows, title)),
    ]
    written = []
    settings = {"svg.hashsalt": "gnn4j", "svg.fonttype": "none", "font.size": 10, "figure.dpi": 120}
    with matplotlib.rc_context(settings):
        matplotlib.use("Agg", force=False)
        from matplotlib import pyplot

        for name, make in made:
            picture = make(pyplot)
            if picture is None:
                continue
            path = directory / f"{name}.{kind}"
            try:
                directory.mkdir(parents=True, exist_ok=True)
                picture.savefig(path, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else None)
            except OSError as error:
                raise PipelineError(f"The picture '{path}' cannot be written: {error}.") from error
            finally:
                pyplot.close(picture)
            written.append(path)
    return written


def _bars(pyplot: Any, rows: Sequence[Mapping[str, Any]], figures: Sequence[str], title: str) -> Any:
    picture, axes = pyplot.subplots(
        1, len(figures), figsize=(4.2 * len(figures), 0.9 + 0.34 * len(rows)), squeeze=False, sharey=True
    )
    for axis, name in zip(axes[0], figures, strict=True):
        for at, row in enumerate(reversed(rows)):
            value = row["figures"][name]
            low, high = row["intervals95"].get(name, (value, value))
            around = [[max(0.0, value - low)], [max(0.0, high - value)]]
            axis.barh(at, value, xerr=around, color=BASELINE if row["baseline"] else MODEL, capsize=2)
            axis.annotate(f"{value:.4f}", (high, at), xytext=(4, 0), textcoords="offset points", va="center")
        axis.set_yticks(range(len(rows)), [row["model"] for row in reversed(rows)])
        axis.set_xlabel(name)
        axis.margins(x=0.18)
        axis.spines[["top", "right"]].set_visible(False)
    picture.suptitle(title, fontsize=10)
    picture.tight_layout()
    return picture


def _time(pyplot: Any, rows: Sequence[Mapping[str, Any]], name: str, title: str) -> Any:
    picture, axis = pyplot.subplots(figsize=(7.2, 4.8))
    # Many methods have nothing to train; the axis is logarithmic.
    places = {row["model"]: (max(row["seconds"]["fit"], 0.01), row["figures"][name]) for row in rows}
    for row in rows:
        axis.plot(*places[row["model"]], "o", color=BASELINE if row["baseline"] else MODEL)
    axis.set_xscale("log")
    axis.set_xlabel("seconds of training")
    axis.set_ylabel(name)
    axis.margins(0.16)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title, fontsize=10)
    _label_apart(axis, places)
    return picture


def _label_apart(axis: Any, places: Mapping[str, tuple[float, float]]) -> None:
    """Write names beside their points, each at the nearest place where it covers no other name and no point.

    A thin line leads to a name that had to move.
    """
    axis.figure.draw_without_rendering()
    points = axis.transData.transform(list(places.values()))
    taken = []
    steps = ((dx, dy) for dx in range(-160, 161, 8) for dy in range(-120, 121, 3))
    near = sorted(steps, key=lambda by: (abs(by[0] - 6) + abs(by[1]), by))
    for (label, place), point in zip(places.items(), points, strict=True):
        text = axis.annotate(label, place, xytext=(6, 0), textcoords="offset points", fontsize=8, va="center")
        box = text.get_window_extent()
        scale = axis.figure.dpi / 72
        for dx, dy in near:
            moved = box.translated(scale * (dx - 6), scale * dy)
            if not (any(moved.overlaps(one) for one in taken) or moved.padded(6).count_contains(points)):
                text.set_position((dx, dy))
                taken.append(moved)
                if abs(dx - 6) + abs(dy) > 6:
                    end = (moved.x0 if moved.x0 > point[0] else moved.x1, (moved.y0 + moved.y1) / 2)
                    line = axis.transData.inverted().transform([point, end])
                    axis.plot(*line.T, color="0.5", linewidth=0.6, zorder=0)
                break


def _learning(pyplot: Any, rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    learned = [row for row in rows if len(row.get("training", {}).get("history", [])) > 1]
    if not learned:
        return None
    names = sorted(
        {
            name
            for row in learned
            for one in row["training"]["history"]
            for name in one
            if name.startswith("validation_")
        }
    )
    shown = ["loss", *names[:1]]
    picture, axes = pyplot.subplots(1, len(shown), figsize=(4.6 * len(shown), 3.4), squeeze=False)
    for axis, name in zip(axes[0], shown, strict=True):
        for row in learned:
            points = [(one["epoch"], one[name]) for one in row["training"]["history"] if name in one]
            if not points:
                continue
            values = [value for _, value in points]
            # Losses of different models have nothing in common but that they fall.
            scale = abs(values[0]) or 1.0 if name == "loss" else 1.0
            axis.plot([epoch for epoch, _ in points], [value / scale for value in values], label=row["model"])
        axis.set_xlabel("epoch")
        axis.set_ylabel("loss, first epoch = 1" if name == "loss" else name.removeprefix("validation_"))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8)
    picture.suptitle(title, fontsize=10)
    picture.tight_layout()
    return picture
