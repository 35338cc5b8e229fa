"""Lists for users by key, as a DataFrame: a thin layer over ``gnn.recommend.stream``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import neo4j
import pandas as pd

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, PipelineError, UnknownName
from gds_pipelines.queries import query
from gds_pipelines.registry import ModelVersion, Registry
from gds_pipelines.task import Task

TITLES = ("title", "name")
COLUMNS = ("user", "rank", "item", "title", "score", "origin")


def recommend(
    connection: Connection,
    users: Iterable[Any] | str | int,
    *,
    top_k: int = 10,
    model: str | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """The best items of each user.

    Args:
        users: keys, or one key; text that looks like an integer is also sought as one.
        top_k: rows a user.
        model: an alias or ``name:version``; None takes the only alias there is.
        configuration: further keys of ``gnn.recommend.stream``, camelCase. With ``task`` (and ``method``
            ``walk`` or ``popularity``) no model is needed.
    Returns:
        One row a recommendation: user, rank, item (its key), title, score, origin; empty for no users.
    Raises:
        PipelineError: nothing is deployed, the alias is unknown, or a key belongs to no user.
    """
    if isinstance(users, str) or not isinstance(users, Iterable):
        users = [users]
    configuration = {"topK": top_k, **(configuration or {})}
    if "task" in configuration:
        task = Task.from_mapping(configuration["task"])
    else:
        version = served(connection, model)
        task = Task.from_mapping(version.task)
    if model is not None or "task" not in configuration:
        configuration = {"model": model or version.aliases[0]} | configuration
    rows: list[tuple] = []
    missing = []
    for user in users:
        records = lists_for(connection, task, user, configuration)
        if not records:
            missing.append(str(user))
        rows += [
            tuple(record[column] for column in COLUMNS) for record in records if record["rank"] is not None
        ]
    if missing:
        raise InvalidInput(
            "Recommend", [f"no {task.to} has `{task.key[task.to]}` = {name}" for name in missing]
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def lists_for(
    connection: Connection, task: Task, user: Any, configuration: Mapping[str, Any]
) -> list[neo4j.Record]:
    """The list of one user by one statement.

    Args:
        user: key; text that looks like an integer is also sought as one.
        configuration: of ``gnn.recommend.stream``, camelCase.
    Returns:
        Records with ``COLUMNS``, best first; one with a null ``rank`` where there is nothing to recommend,
        none where there is no such user.
    """
    item_key = task.key[task.recommend]
    return connection.execute(
        query("recommend_for_key", source=task.to, key=task.key[task.to], item_key=item_key),
        keys=_candidates(user),
        configuration=dict(configuration),
        titles=[*TITLES, item_key],
    )


def served(connection: Connection, model: str | None) -> ModelVersion:
    """The version an alias points to, or the named one.

    Raises:
        PipelineError: nothing is deployed, or several aliases are and none is named.
        UnknownName: no such alias or version.
    """
    versions = Registry(connection).versions()
    by_name = {alias: version for version in versions for alias in version.aliases}
    if model is None:
        if len(by_name) == 1:
            return next(iter(by_name.values()))
        raise PipelineError(
            f"Several models answer: {', '.join(sorted(by_name))}. Name one with --model."
            if by_name
            else "No model is deployed. Do: gnn4j train, gnn4j export, gnn4j deploy; or gnn4j demo."
        )
    by_name |= {version.reference: version for version in versions}
    if model not in by_name:
        raise UnknownName("model", model, by_name)
    return by_name[model]


def _candidates(user: Any) -> list[Any]:
    if isinstance(user, str) and user.removeprefix("-").isdecimal():
        return [user, int(user)]
    return [user]
