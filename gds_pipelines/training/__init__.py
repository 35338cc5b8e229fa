"""One loop for every model that learns by steps, on Lightning Fabric.

A model hands in a ``Learner``: its parameters, how many steps an epoch has, what
batch a step takes and what the loss is. The loop brings devices, precision,
schedule, clipping, accumulation, averaging, early stopping, checkpoints, exact
resume, TensorBoard and progress.
"""

from gds_pipelines.training.checkpoint import CHECKPOINT
from gds_pipelines.training.learner import Learner, Moment
from gds_pipelines.training.loop import Cancelled, Diverged, train
from gds_pipelines.training.options import Progress, TrainingOptions
from gds_pipelines.training.report import TrainingReport
from gds_pipelines.training.threads import use_threads

__all__ = [
    "CHECKPOINT",
    "Cancelled",
    "Diverged",
    "Learner",
    "Moment",
    "Progress",
    "TrainingOptions",
    "TrainingReport",
    "train",
    "use_threads",
]
