"""What a finished job says of its model, in the shape of GDS's link-prediction training.

A figure is named ``RECALL_AT_20``. ``train`` and ``validation`` are of the selection, on parts of train,
as ``{avg, min, max}`` (one fold, so the three are equal); ``outerTrain`` and ``test`` are of the winner
trained on the whole of train, and ``test`` is what ``gnn4j train`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gds_pipelines import models
from gds_pipelines.naming import to_camel
from gds_pipelines.run import Run
from gds_pipelines.worker.job import Job
from gds_pipelines.worker.selection import Selection, Tried

MODEL_TYPE = "gnn"


def metric_name(name: str) -> str:
    """``hit_rate@20`` -> ``HIT_RATE_AT_20``."""
    return name.upper().replace("@", "_AT_")


def model_info(
    job: Job,
    run: Run,
    selection: Selection,
    outer_train: Mapping[str, float],
    timings: Mapping[str, float],
) -> dict[str, Any]:
    """The map ``modelInfo``.

    Args:
        outer_train: figures of the measured model on what it was trained on.
        timings: seconds by phase.
    """
    winner = selection.winner
    figures = {}
    for name, test in run.figures().items():
        figure: dict[str, Any] = {"test": test}
        for part, values in (("train", winner.train), ("validation", winner.validation)):
            if name in values:
                figure[part] = _folds(values[name])
        if name in outer_train:
            figure["outerTrain"] = outer_train[name]
        figures[metric_name(name)] = figure
    return {
        "modelName": job.model_name,
        "modelType": MODEL_TYPE,
        "bestParameters": parameters_of(run),
        "metrics": figures,
        "baselines": {
            row.name: {metric_name(name): value for name, value in row.figures.items()}
            for row in run.table[1:]
        },
        "pipeline": {
            "name": job.pipeline,
            "task": job.task.to_mapping(),
            "featureProperties": list(job.features),
            "split": run.split,
            "validation": selection.description,
        },
        "nodePropertySteps": [{"procedure": one.procedure, "config": dict(one.config)} for one in job.steps],
        "sizes": dict(run.sizes),
        "refitted": run.refitted,
        "timings": {f"{phase}Millis": round(seconds * 1000) for phase, seconds in timings.items()},
    }


def selection_stats(selection: Selection) -> dict[str, Any]:
    """The map ``modelSelectionStats``: every candidate with its figures, the best one again."""
    rows = [
        {
            "parameters": _parameters(one),
            "metrics": {
                metric_name(name): {
                    "train": _folds(one.train[name]),
                    **({"validation": _folds(one.validation[name])} if name in one.validation else {}),
                }
                for name in one.train
            },
            "trials": one.trials,
        }
        for one in selection.tried
    ]
    return {
        "bestParameters": rows[selection.best]["parameters"],
        "bestTrial": selection.best + 1,
        "modelCandidates": rows,
    }


def parameters_of(run: Run) -> dict[str, Any]:
    """The winner's settings, defaults included, under ``modelName`` its family."""
    return {"modelName": run.model} | {to_camel(name): value for name, value in run.parameters.items()}


def _parameters(one: Tried) -> dict[str, Any]:
    complete = models.recommender(one.model)(one.parameters).parameters.to_mapping()
    return {"modelName": one.model} | {to_camel(name): value for name, value in complete.items()}


def _folds(value: float) -> dict[str, float]:
    return {"avg": value, "min": value, "max": value}
