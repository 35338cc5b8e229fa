"""Neighbourhoods of interactions: draws by the rule, and pairs that are left out."""

from dataclasses import replace

import numpy as np
from block_recursion import Recursion
from block_shop import ITEMS_N, USERS_N, graph_of, shop

from gds_pipelines.draws import hash64
from gds_pipelines.models.block_encoders import BlockEncoder
from gds_pipelines.models.neighbourhoods import (
    draw_positions,
)
from gds_pipelines.sampling import twin


def test_draws_follow_the_rule_of_the_formats_page():
    ids, degrees = np.array([0, 3, 7, -1, 2**40]), np.array([0, 4, 9, 30, 1000])
    assert hash64(5, ids, 2).tolist() == [twin.hash64(5, int(one), 2) for one in ids]
    for hop, relation in ((1, 0), (3, 5)):
        found = draw_positions(degrees, ids, 4, -11, hop, relation)
        for row, (one, d) in enumerate(zip(ids.tolist(), degrees.tolist(), strict=True)):
            expected = list(range(d))
            if d > 4:
                hashed = [twin.hash64(-11, one, hop, relation, i) for i in range(4)]
                expected = twin.uniform(hashed.__getitem__, d, 4, False)
            assert found[row].tolist() == expected + [-1] * (4 - len(expected))


def test_interactions_of_a_database_draw_by_the_ids_of_their_nodes():
    ids = {"item_ids": np.arange(ITEMS_N) * 10 + 3, "user_ids": np.arange(USERS_N) * 7 + 1}
    data = replace(shop(), **ids)
    graph = graph_of(data, (2, 2))
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)
    slow = Recursion("graphsage", BlockEncoder("graphsage", graph.schema, 8), data)
    cut = 0
    for relation in blocks.schema.drawn(1):
        source, target = blocks.schema.source(relation), blocks.schema.target(relation)
        sent = blocks.nodes[source][blocks.tensors[f"hop_n{source}_1"]]
        heard = blocks.nodes[target][blocks.tensors[f"hop_n{target}_0"]]
        for receiver, positions in zip(heard, blocks.tensors[f"nbr_r{relation}_1"], strict=True):
            senders = slow.senders(relation, receiver).tolist()
            if len(senders) > 2:
                one = int(list(ids.values())[target][receiver])
                hashed = [twin.hash64(5, one, 1, relation, i) for i in range(2)]
                senders = [senders[at] for at in twin.uniform(hashed.__getitem__, len(senders), 2, False)]
                cut += 1
            assert [int(sent[at]) for at in positions if at >= 0] == senders
    assert cut > 3


def test_pairs_left_out_are_nowhere_in_either_direction_and_not_counted():
    data = shop()
    graph = graph_of(data, (9, 9))
    users, items = data.user_index[::3], data.matrix.indices[::3].astype(np.int64)
    left_out = np.sort(users * data.n_items + items)
    everyone = (np.arange(USERS_N), np.arange(ITEMS_N))
    whole, less = graph.batch(*everyone, 5), graph.batch(*everyone, 5, left_out=left_out)
    met = {0: set(), 1: set()}
    for blocks, into in ((whole, met[0]), (less, met[1])):
        for hop in (1, 2):
            for relation in blocks.schema.drawn(hop):
                to_users, tensors = relation % 2, blocks.tensors
                source, target = blocks.schema.source(relation), blocks.schema.target(relation)
                sent = blocks.nodes[source][tensors[f"hop_n{source}_{hop}"]]
                heard = blocks.nodes[target][tensors[f"hop_n{target}_{hop - 1}"]]
                for row, positions in enumerate(tensors[f"nbr_r{relation}_{hop}"]):
                    there = [int(sent[at]) for at in positions if at >= 0]
                    assert tensors[f"deg_r{relation}_{hop}"][row] >= len(there)
                    into.update((int(heard[row]), s) if to_users else (s, int(heard[row])) for s in there)
    gone = set(zip(users.tolist(), items.tolist(), strict=True))
    assert gone <= met[0]
    assert met[1] == met[0] - gone
