"""What a lease asks for, checked: task, data, candidates, rules.

The database checked the same map when the job was submitted; it is read anew here, since anybody may
write the nodes it is kept in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError, did_you_mean
from gds_pipelines.models.parameters import read_parameters
from gds_pipelines.naming import to_snake
from gds_pipelines.run import SplitRequest
from gds_pipelines.task import Task
from gds_pipelines.tuning import Bounds

DEPLOY_RULES = ("always", "ifBetter", "never")
DEFAULT_SEED = 1
DEFAULT_TRIALS = 10
_SPLITS = {"time": "time", "leave-last": "leave-last", "leaveLast": "leave-last", "random": "random"}


@dataclass(frozen=True)
class Candidate:
    """One model of the parameter space.

    Args:
        model: name.
        fixed: hyper-parameters that have one value.
        ranges: (low, high) of those that are searched.
    """

    model: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        ranges = {name: {"range": list(bounds[:2])} for name, bounds in self.ranges.items()}
        return {"model": self.model, "config": dict(self.fixed) | ranges}


@dataclass(frozen=True)
class Step:
    """A node property that GDS computes: ``procedure`` with its ``config``."""

    procedure: str
    config: Mapping[str, Any]

    @property
    def property(self) -> str | None:
        """What the step adds to the projection; None where its configuration names none."""
        return self.config.get("mutateProperty")


@dataclass(frozen=True)
class Job:
    """A training job.

    Args:
        owner: who submitted it.
        pipeline: its name, where the job has it.
        task: what is recommended to whom.
        model_name: of the model in the registry, and of the alias.
        model_version: the version an earlier attempt made, or None.
        graph_name: the owner's projection; None: the worker projects the task itself.
        graph_created: its creation time, as text.
        steps, features: node properties to compute, and those the models read; () leaves it to the task.
        split: how the test part is held out, by ``split_seed`` where it is at random; ``seed`` is that of
            training, and of the split where it has none of its own.
        candidates: at least one.
        tuning: bounds of the search, over all candidates with ranges.
        deploy: one of ``DEPLOY_RULES``.
        warm_start: begin from the vectors of the version that serves.
        baselines: whether the simple models stand beside.
        configuration: of the call that submitted it.
    """

    owner: str
    pipeline: str
    task: Task
    model_name: str
    model_version: int | None
    graph_name: str | None
    graph_created: str | None
    steps: tuple[Step, ...]
    features: tuple[str, ...]
    split: SplitRequest
    split_seed: int
    seed: int
    candidates: tuple[Candidate, ...]
    tuning: Bounds
    deploy: str
    warm_start: bool
    refit: bool
    baselines: bool
    configuration: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Job:
        """Read the ``job`` map of a lease.

        Raises:
            InvalidInput: all faults at once.
        """
        frozen = _map(raw.get("pipeline"))
        configuration = _map(raw.get("configuration"))
        training = _map(frozen.get("trainingConfig"))
        split_config = _map(frozen.get("splitConfig"))
        tuning = _map(frozen.get("autoTuningConfig"))
        faults: list[str] = []
        described = frozen.get("task") or {}
        if split_config.get("horizon") and isinstance(described, Mapping):
            described = {**described, "horizon": split_config["horizon"]}
        task = _collect(faults, lambda: Task.from_mapping(described))
        if not raw.get("modelName"):
            faults.append("`modelName` is missing")
        rule = configuration.get("deploy") or training.get("deploy") or "always"
        if rule not in DEPLOY_RULES:
            faults.append(f"`deploy` is '{rule}', expected one of {', '.join(DEPLOY_RULES)}")
        split = _split(split_config, task, faults)
        candidates = tuple(
            _candidate(entry, faults)
            for entry in frozen.get("parameterSpace") or [{"model": models.DEFAULT_MODEL}]
        )
        if faults:
            raise InvalidInput("The job cannot be read", faults)
        seeds = (one.get("randomSeed") for one in (configuration, training))
        seed = next((one for one in seeds if one is not None), DEFAULT_SEED)
        split_seed = split_config.get("randomSeed")
        minutes = tuning.get("maxMinutes")
        return cls(
            owner=str(raw.get("owner") or ""),
            pipeline=str(frozen.get("name") or ""),
            task=task,
            model_name=raw["modelName"],
            model_version=raw.get("modelVersion"),
            graph_name=raw.get("graphName"),
            graph_created=None if raw.get("graphCreationTime") is None else str(raw["graphCreationTime"]),
            steps=tuple(
                Step(step["procedure"], _map(step.get("config")))
                for step in frozen.get("nodePropertySteps") or []
            ),
            features=tuple(frozen.get("featureProperties") or ()),
            split=split,
            split_seed=int(seed if split_seed is None else split_seed),
            seed=int(seed),
            candidates=candidates,
            tuning=Bounds(
                tuning.get("maxTrials") or DEFAULT_TRIALS, None if minutes is None else minutes * 60.0
            ),
            deploy=rule,
            warm_start=bool(configuration.get("warmStart", training.get("warmStart", False))),
            refit=bool(training.get("refit", True)),
            baselines=bool(training.get("baselines", True)),
            configuration=configuration,
        )

    def reads_features(self) -> bool:
        """Whether some candidate reads node properties."""
        return any(models.recommender(one.model).reads_features for one in self.candidates)

    def reads_surroundings(self) -> bool:
        """Whether some candidate reads ``alsoLabels`` and ``alsoTypes``."""
        return any(one.fixed.get("surroundings") for one in self.candidates)


def _map(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _collect(faults: list[str], read: Any) -> Any:
    try:
        return read()
    except PipelineError as error:
        faults.extend(getattr(error, "faults", [str(error)]))
        return None


def _split(config: Mapping[str, Any], task: Task | None, faults: list[str]) -> SplitRequest:
    method = config.get("method")
    if method is None:
        return SplitRequest() if task is None else SplitRequest.for_task(task)
    if method not in _SPLITS:
        faults.append(f"split `method` is '{method}', expected time, leave-last or random")
        return SplitRequest()
    count = config.get("count")
    share = config.get("testFraction")
    return SplitRequest(
        _SPLITS[method], 1 if count is None else int(count), 0.2 if share is None else float(share)
    )


def _candidate(entry: Mapping[str, Any], faults: list[str]) -> Candidate:
    name = str(entry.get("model"))
    if name not in models.registry():
        faults.append(f"there is no model '{name}'.{did_you_mean(name, models.registry())}")
        return Candidate(name)
    if models.recommender(name).info.rates:
        faults.append(
            f"'{name}' predicts ratings, and a pipeline chooses and judges by lists; take `gnn4j train TASK "
            f"--model {name}`, then export and deploy"
        )
    fixed: dict[str, Any] = {}
    ranges: dict[str, tuple[Any, ...]] = {}
    for key, value in _map(entry.get("config")).items():
        if isinstance(value, Mapping):
            ranges[to_snake(key)] = _range(f"{name}.{key}", value, faults)
        else:
            fixed[to_snake(key)] = value
    cls, what = models.recommender(name).Parameters, f"Hyper-parameters of '{name}'"
    ends: Sequence[Mapping[str, Any]] = [{key: bounds[at] for key, bounds in ranges.items()} for at in (0, 1)]
    for end in ends if ranges else [{}]:
        before = len(faults)
        _collect(faults, lambda end=end: read_parameters(cls, fixed | end, what))
        if len(faults) > before:
            break
    return Candidate(name, fixed, ranges)


def _range(where: str, value: Mapping[str, Any], faults: list[str]) -> tuple[Any, ...]:
    bounds = value.get("range")
    good = (
        isinstance(bounds, list | tuple)
        and len(bounds) == 2
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in bounds)
        and bounds[0] <= bounds[1]
    )
    if not good:
        faults.append(f"`{where}` is {dict(value)}, expected a value or {{range: [low, high]}}")
        return (0, 0)
    return (*bounds, "log") if value.get("log") else tuple(bounds)
