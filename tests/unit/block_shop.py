"""A small shop with features of every kind, its blocks, and an encoder none of whose numbers is plain."""

from dataclasses import replace

import numpy as np
import torch

from gds_pipelines.interactions import Interactions
from gds_pipelines.models.block_encoders import BlockEncoder
from gds_pipelines.models.neighbourhoods import (
    ITEMS,
    USERS,
    Neighbourhoods,
    columns_of,
    schema_of,
)
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.surroundings import OtherNodes, OtherRelation, Surroundings

USERS_N, ITEMS_N = 9, 7


def shop():
    """Nine users, seven items, two behaviours; user 8 and item 6 have nothing; features of every kind."""
    rng = np.random.default_rng(3)
    found = Interactions.from_indices(
        rng.integers(0, 8, 22),
        rng.integers(0, 6, 22),
        user_keys=np.arange(USERS_N) + 10,
        item_keys=np.arange(ITEMS_N) + 100,
        kinds=rng.integers(0, 2, 22),
    )
    items = {
        "price": [1.0, None, 3.0, 4.0, 0.5, 2.0, 7.0],
        "brand": ["a", "b", None, "a", "c", "b", "a"],
        "tags": [["x"], [], None, ["x", "y"], ["y", "y", "z"], ["z"], ["x"]],
    }
    users = {
        "member": [True, False, None] * 3,
        "taste": [[float(u), 1.0] if u % 4 else None for u in range(9)],
    }
    return replace(
        found,
        item_features=NodeFeatures.of_values(items, "Item"),
        user_features=NodeFeatures.of_values(users, "User"),
    )


def around_shop():
    """Three categories, of which one is empty, and users who follow users."""
    categories = OtherNodes("Category", "name", np.array(["a", "b", "c"]), NodeFeatures.none(3), np.arange(3))
    told_apart = categories.features.with_category("name", categories.keys.tolist())
    categories = replace(categories, features=told_apart)
    shelves = OtherRelation.of_pairs(
        ITEMS, "IN_CATEGORY", 2, (np.array([0, 1, 1, 3, 6, 6]), np.array([0, 0, 1, 1, 0, 0])), (ITEMS_N, 3)
    )
    follows = OtherRelation.of_pairs(
        USERS, "FOLLOWS", USERS, (np.array([8, 8, 0]), np.array([0, 1, 8])), (USERS_N, USERS_N)
    )
    return Surroundings((categories,), (shelves, follows))


def graph_of(data, fanouts, behaviours=2):
    features = (data.item_features, data.user_features)
    schema = schema_of(features[0].features, features[1].features, fanouts, behaviours, 1)
    columns = [columns_of(features[0], data.n_items), columns_of(features[1], data.n_users)]
    return Neighbourhoods.of(data, schema, columns)


def shaken(kind, schema, seed=2):
    """An encoder none of whose numbers is 0 or 1."""
    encoder = BlockEncoder(kind, schema, 8, heads=2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for value in encoder.parameters():
        value.data += 0.3 * torch.randn(value.shape, generator=generator)
    for entry in encoder.inputs:
        if hasattr(entry, "mean"):
            entry.mean += 0.5
            entry.scale *= 2.0
    return encoder.eval()
