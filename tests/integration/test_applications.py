"""The statements applications ask, on the generated shop; feedback, and what comes of it."""

import threading

import pytest
from neo4j.exceptions import ClientError

from gds_pipelines.queries import query

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
USER = {"source": "User", "key": "id"}
ITEM = {"item_key": "id"}
RECORD = query("record_feedback", item="Item", **USER, **ITEM)
HOME = query("recommend_home_page", **USER, **ITEM)


@pytest.fixture
def asked(shop):
    """Asks the shop, without feedback before and after."""
    shop.execute("MATCH ()-[f:GNN_FEEDBACK]->() DELETE f")
    yield shop.execute
    shop.execute("MATCH ()-[f:GNN_FEEDBACK]->() DELETE f")


def test_the_home_page_holds_unseen_items_few_of_one_brand(asked):
    rows = asked(HOME, user=7, configuration={"topK": 12, "maxPer": {"brand": 2}})
    items = [row["item"] for row in rows]
    seen = asked("MATCH (:User {id: 7})-[:BUY|FAVOURITE|VIEW]->(i:Item) RETURN collect(i.id) AS ids")[0][
        "ids"
    ]
    brands = asked(
        "MATCH (i:Item) WHERE i.id IN $items RETURN i.brand AS brand, count(*) AS n ORDER BY n DESC",
        items=items,
    )
    assert (len(items), set(items) & set(seen), brands[0]["n"]) == (12, set(), 2)
    assert asked(HOME, user=-1, configuration={}) == []


def test_the_product_page_has_similar_items_and_those_bought_together(asked):
    statement = query("recommend_product_page", item="Item", **ITEM)
    rows = asked(statement, item=5, configuration={"topK": 4})
    assert [(row["kind"], row["rank"]) for row in rows] == [
        *(("similar", rank) for rank in (1, 2, 3, 4)),
        *(("together", rank) for rank in (1, 2, 3, 4)),
    ]
    together = asked(
        "MATCH (:Item {id: 5})<-[:BUY|FAVOURITE|VIEW]-(u:User)-[:BUY|FAVOURITE|VIEW]->(i:Item {id: $item}) "
        "RETURN count(DISTINCT u) AS n",
        item=rows[4]["item"],
    )
    assert rows[4]["count"] == together[0]["n"]


def test_a_basket_counts_and_does_not_come_back(asked):
    statement = query("recommend_basket", item="Item", **USER, **ITEM)
    basket = [3, 9, 27]
    for user in (7, None):
        items = [r["item"] for r in asked(statement, user=user, basket=basket, configuration={"topK": 6})]
        assert len(items) == 6
        assert not set(items) & set(basket)
    visitor = asked(
        query("recommend_new_visitor", item="Item", **ITEM), history=basket, configuration={"topK": 6}
    )
    assert [row["item"] for row in visitor] == items
    popular = asked(query("recommend_new_visitor", item="Item", **ITEM), history=[], configuration={})
    assert {row["origin"] for row in popular} == {"popularity"}


def test_a_batch_gives_each_user_the_list_of_one(asked):
    users = [1, 2, 3, -1]
    rows = asked(query("recommend_email_batch", **USER, **ITEM), users=users, configuration={"topK": 5})
    assert [row["user"] for row in rows] == [1, 2, 3]
    for row in rows:
        alone = asked(HOME, user=row["user"], configuration={"topK": 5})
        assert row["items"] == [one["item"] for one in alone]


def test_because_you_bought_names_the_item_that_counts_most(asked):
    rows = asked(
        query("explain_because_you_bought", **USER, **ITEM),
        user=7,
        configuration={"topK": 5, "model": "shop"},
        template="Because you bought {via.title}",
    )
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    for row in rows:
        via = row["path"].nodes[1]
        assert row["text"] == f"Because you bought {via['title']}"
        best = asked(
            "MATCH (u:User {id: 7}), (i:Item {id: $item}) CALL gnn.explain.stream(u, i, {model: 'shop'}) "
            "YIELD contribution RETURN max(contribution) AS most",
            item=row["item"],
        )
        assert row["contribution"] == best[0]["most"]


def test_because_you_bought_is_told_of_a_blend_by_its_vectors(asked):
    blend = {"topK": 8, "model": "shop", "blend": {"vector": 0.2, "walk": 1.0, "popularity": 0.5}}
    rows = asked(
        query("explain_because_you_bought", **USER, **ITEM),
        user=7,
        configuration=blend,
        template="Because you bought {via.title}",
    )
    streamed = asked(
        "MATCH (u:User {id: 7}) CALL gnn.recommend.stream(u, $blend) YIELD node, rank, scores "
        "RETURN rank, node.id AS item, scores.vector <> 0 AS told ORDER BY rank",
        blend=blend,
    )
    assert [(row["rank"], row["item"], row["text"] is not None) for row in rows] == [
        tuple(row.values()) for row in streamed
    ]
    assert any(row["text"] for row in rows)


def event(kind, item, **more):
    return {"recommendationId": "a", "kind": kind, "user": 7, "item": item, **more}


def test_an_event_is_kept_once_and_a_dismissed_item_does_not_come_back(asked):
    first, second = (row["item"] for row in asked(HOME, user=7, configuration={"topK": 2}))
    events = [event("impression", first, rank=1), event("impression", second), event("dismiss", first)]
    events += [event("click", second), event("click", second), event("click", -1), event("click", None)]
    assert asked(RECORD, events=events)[0].data() == {"recorded": 4, "duplicates": 1, "rejected": 2}
    assert asked(RECORD, events=events)[0].data() == {"recorded": 0, "duplicates": 5, "rejected": 2}
    (kept,) = asked("MATCH ()-[f:GNN_FEEDBACK {kind: 'impression', rank: 1}]->() RETURN f.at AS at")
    assert abs(kept["at"] - asked("RETURN timestamp() AS now")[0]["now"]) < 60_000
    after = [row["item"] for row in asked(HOME, user=7, configuration={"topK": 400})]
    assert first not in after
    assert after[0] == second


def test_two_transactions_at_once_keep_an_event_once(shop, asked):
    outcomes, gate = [], threading.Barrier(4)

    def send():
        gate.wait()
        outcomes.append(shop.execute(RECORD, events=[event("click", 3), event("click", 4)])[0].data())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome["recorded"] for outcome in outcomes) == 2
    assert asked("MATCH ()-[f:GNN_FEEDBACK]->() RETURN count(f) AS n")[0]["n"] == 2


def test_click_through_and_win_rate_of_versions(asked):
    """List 1: version 2 gets both clicks. List 2: one each. List 3: no click. List 4: one version."""

    def shown(list_, version, item, *kinds):
        more = {"recommendationId": list_, "model": "m", "version": version, "at": 1000}
        return [event(kind, item, **more) for kind in ("impression", *kinds)]

    events = [
        *shown("1", 1, 1), *shown("1", 2, 2, "click"), *shown("1", 2, 3, "click"),
        *shown("2", 1, 1, "click"), *shown("2", 2, 2, "click"),
        *shown("3", 1, 1), *shown("3", 2, 2),
        *shown("4", 1, 1, "click"), *shown("4", 1, 5, "dismiss"),
    ]  # fmt: skip
    asked(RECORD, events=events)
    through = [tuple(row.values()) for row in asked(query("read_click_through"), since=1000)]
    assert through == [("m", 1, 5, 2, 1, 0.4), ("m", 2, 4, 3, 0, 0.75)]
    assert asked(query("read_click_through"), since=1001) == []
    wins = [tuple(row.values()) for row in asked(query("read_win_rate"), since=1000)]
    assert wins == [("m", 1, 2, 0.5, 0.25), ("m", 2, 2, 1.5, 0.75)]


def test_wrong_events_are_refused_together(asked):
    with pytest.raises(ClientError, match=r"(?s)Event 1: Unknown value 'clik'.*Event 2: `recommendationId`"):
        asked(RECORD, events=[event("clik", 1), {"kind": "click", "user": 7, "item": 1}, event("click", 2)])
    assert asked("MATCH ()-[f:GNN_FEEDBACK]->() RETURN count(f) AS n")[0]["n"] == 0
