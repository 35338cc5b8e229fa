"""Data sets by name: what they are, where they come from, on which terms, and what is recommended in them.

dataset = datasets.get("movielens-1m")
prepared = dataset.prepare()
report = ingest.write(ingest.plan_tables(prepared.files, prepared.mapping), connection)
task = Task.from_mapping(dataset.task)
"""

from gds_pipelines.datasets.catalog import DATASETS, get, names
from gds_pipelines.datasets.dataset import Dataset, Prepared
from gds_pipelines.datasets.shop import ShopSize
from gds_pipelines.datasets.shop import generate as generate_shop

__all__ = ["DATASETS", "Dataset", "Prepared", "ShopSize", "generate_shop", "get", "names"]
