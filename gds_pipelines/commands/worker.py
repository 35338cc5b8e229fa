"""``gnn4j worker``: trains what ``gnn.pipeline.train`` asks for."""

from pathlib import Path
from typing import Annotated

import typer

from gds_pipelines.command_options import Uri
from gds_pipelines.console import fail_in_words


def register(app: typer.Typer) -> None:
    app.command("worker")(worker_command)


def worker_command(
    once: Annotated[
        bool, typer.Option("--once", help="Do one job, or none where none waits, and end.")
    ] = False,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where jobs keep their checkpoints. Workers that share it go on with one another's jobs.",
            show_default="jobs, in the home of the embedded server",
        ),
    ] = None,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks for a job.")] = 5.0,
    name: Annotated[
        str | None, typer.Option(help="As gnn.worker.list shows it.", show_default="host:process")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all that are free")
    ] = None,
    uri: Uri = None,
    database: Annotated[str | None, typer.Option(help="The database; the server's default one.")] = None,
) -> None:
    """Lease training jobs, train them here, on a GPU where there is one, and bring the models back.

    It signs in as NEO4J_USERNAME with NEO4J_PASSWORD, a user that `server.gnn.worker.users` of the server
    names; at the embedded server as its own user for this. A worker that is told to end (Ctrl-C, SIGTERM)
    hands its job back; the job of one that was killed goes to the next after a minute.

    Example:  gnn4j worker
    Example:  gnn4j worker --once --checkpoints /mnt/shared/gnn4j
    """
    with fail_in_words():
        import logging
        import signal

        from gds_pipelines.connection import connect
        from gds_pipelines.worker import process
        from gds_pipelines.worker.channel import JobChannel
        from gds_pipelines.worker.graphs import sweep
        from gds_pipelines.worker.loop import Worker
        from gds_pipelines.worker.training import TrainingWork

        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("gds_pipelines.worker").setLevel(logging.INFO)
        who, device = name or process.worker_name(), process.device()
        with connect(uri, user=process.user_for(uri), database=database) as connection:
            sweep(connection)
            work = TrainingWork(connection, checkpoints or process.jobs_directory(), who, threads)
            worker = Worker(JobChannel(connection), work, name=who, device=device, poll=poll)

            def end(*_: object) -> None:
                worker.stop()
                process.end_without_database(connection.target.uri)

            for one in (signal.SIGINT, signal.SIGTERM):
                signal.signal(one, end)
            logging.getLogger("gds_pipelines.worker").info(
                "%s works for %s on %s", who, connection.target.uri, device
            )
            worker.run(once=once)
