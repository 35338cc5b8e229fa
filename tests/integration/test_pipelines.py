"""``gnn.pipeline.*`` over Bolt: the catalogue, what is checked when, and two users apart."""

import neo4j
import pytest

GRAPH = """
CREATE (a:User {id: 1}), (b:User {id: 2}), (x:Item {id: 101}), (y:Item {id: 102}), (c:Category {id: 7}),
       (a)-[:BUY {at: 10}]->(x), (b)-[:BUY {at: 20}]->(y), (a)-[:VIEW {at: 5}]->(y), (x)-[:IN_CATEGORY]->(c)
"""
TASK = {"recommend": "Item", "to": "User", "via": {"BUY": 1.0, "VIEW": 0.1}, "timeProperty": "at"}


@pytest.fixture
def shop(database):
    for label in ("User", "Item", "Category"):
        database.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    database.execute(GRAPH)
    return database


def call(server, query, **parameters):
    return [record.data() for record in server.execute(query, **parameters)]


def refused(server, query, *sentences, **parameters):
    with pytest.raises(neo4j.exceptions.ClientError) as found:
        server.execute(query, **parameters)
    for sentence in sentences:
        assert sentence in str(found.value)


def project(server, name="g", types=("BUY", "VIEW")):
    server.execute("CALL gds.graph.project($name, ['User', 'Item'], $types)", name=name, types=list(types))


def test_a_task_makes_a_complete_pipeline_with_the_keys_its_constraints_name(shop):
    (row,) = call(shop, "CALL gnn.pipeline.fromTask('shop', $task)", task=TASK)
    assert row["name"] == "shop"
    assert row["task"] == TASK | {"key": {"User": "id", "Item": "id"}}
    assert row["parameterSpace"] == {"fism": [{}]}
    assert row["autoTuningConfig"] == {"maxTrials": 10}
    assert row["trainingConfig"] == {
        "deploy": "always",
        "warmStart": False,
        "refit": True,
        "baselines": True,
        "randomSeed": 1,
    }
    assert (row["nodePropertySteps"], row["featureProperties"], row["splitConfig"]) == ([], [], {})
    assert call(shop, "CALL gnn.pipeline.info('shop')") == [row]
    assert call(shop, "CALL gnn.pipeline.list()") == [row]
    (there,) = call(shop, "CALL gnn.pipeline.exists('shop')")
    assert there == {
        "pipelineName": "shop",
        "pipelineType": "Recommendation training pipeline",
        "exists": True,
    }
    assert call(shop, "CALL gnn.pipeline.drop('shop')") == [row]
    assert call(shop, "CALL gnn.pipeline.exists('shop') YIELD exists") == [{"exists": False}]
    assert call(shop, "CALL gnn.pipeline.drop('shop', false)") == []


def test_a_key_that_no_or_several_constraints_name_is_asked_for(shop):
    shop.execute("CREATE CONSTRAINT FOR (n:Item) REQUIRE n.sku IS UNIQUE")
    shop.execute("CREATE (:Shop)")
    refused(
        shop,
        "CALL gnn.pipeline.fromTask('shop', $task)",
        "several properties of it are unique: id, sku. Name one, as `key: {Item: 'id'}`.",
        "`key` is not given for :Shop, and no single property of it is unique.",
        task=TASK | {"alsoLabels": ["Shop"]},
    )
    (row,) = call(
        shop, "CALL gnn.pipeline.fromTask('shop', $task) YIELD task", task=TASK | {"key": {"Item": "sku"}}
    )
    assert row["task"]["key"] == {"Item": "sku", "User": "id"}


def test_each_step_of_a_pipeline_shows_what_it_is_now(shop):
    call(shop, "CALL gnn.pipeline.create('p')")
    call(shop, "CALL gnn.pipeline.fromTask('p', $task)", task=TASK)
    for name, config in (
        ("fastRP", {"mutateProperty": "position", "embeddingDimension": 16}),
        ("gds.pageRank", {"mutateProperty": "rank"}),
        ("gds.degree.mutate", {"mutateProperty": "degree"}),
        ("scaleProperties", {"mutateProperty": "scaled", "nodeProperties": ["degree"], "scaler": "MinMax"}),
        ("NODE2VEC", {"mutateProperty": "walked"}),
    ):
        (row,) = call(
            shop, "CALL gnn.pipeline.addNodeProperty('p', $name, $config)", name=name, config=config
        )
    assert [step["name"] for step in row["nodePropertySteps"]] == [
        "gds.fastRP.mutate",
        "gds.pageRank.mutate",
        "gds.degree.mutate",
        "gds.scaleProperties.mutate",
        "gds.node2vec.mutate",
    ]
    assert row["nodePropertySteps"][0]["config"] == {"mutateProperty": "position", "embeddingDimension": 16}
    call(shop, "CALL gnn.pipeline.selectFeatures('p', 'position')")
    (row,) = call(shop, "CALL gnn.pipeline.selectFeatures('p', ['rank', 'position'])")
    assert row["featureProperties"] == ["position", "rank"]
    (row,) = call(shop, "CALL gnn.pipeline.configureSplit('p', {method: 'time', horizon: 'P1D'})")
    assert row["splitConfig"] == {"method": "time", "horizon": "P1D"}
    (row,) = call(shop, "CALL gnn.pipeline.configureAutoTuning('p', {maxTrials: 3, maxMinutes: 0.5})")
    assert row["autoTuningConfig"] == {"maxTrials": 3, "maxMinutes": 0.5}
    (row,) = call(shop, "CALL gnn.pipeline.configureTraining('p', {deploy: 'ifBetter', randomSeed: 7})")
    assert (row["trainingConfig"]["deploy"], row["trainingConfig"]["randomSeed"]) == ("ifBetter", 7)
    call(shop, "CALL gnn.pipeline.addModel('p', 'graphsage', {dimension: 32})")
    call(shop, "CALL gnn.pipeline.addModel('p', 'fism', {dimension: {range: [16, 64]}, learningRate: 0.1})")
    (row,) = call(shop, "CALL gnn.pipeline.addModel('p', 'fism')")
    assert row["parameterSpace"] == {
        "graphsage": [{"dimension": 32}],
        "fism": [{"dimension": {"range": [16, 64]}, "learningRate": 0.1}, {}],
    }


@pytest.mark.parametrize(
    ("query", "sentences"),
    [
        ("CALL gnn.pipeline.create(' p')", ["no blanks at its ends"]),
        ("CALL gnn.pipeline.create('shop')", ["Pipeline named `shop` already exists."]),
        ("CALL gnn.pipeline.info('shp')", ["Pipeline with name `shp` does not exist", "`shop`?"]),
        ("CALL gnn.pipeline.drop('shp')", ["Pipeline with name `shp` does not exist", "`shop`?"]),
        (
            # Names that no other test gives a node or a relationship: Neo4j never forgets one.
            "CALL gnn.pipeline.fromTask('q', {recommend: 'Categry', to: 'User', via: {UNSEEN: 1, VIEW: 1}})",
            ["There is no label 'Categry' in this database. Did you mean `Category`?", "'UNSEEN'"],
        ),
        ("CALL gnn.pipeline.fromTask('q', {recomend: 'Item'})", ["`recomend`", "`to` is missing", "`via`"]),
        (
            "CALL gnn.pipeline.addNodeProperty('shop', 'fastRPP', {mutateProperty: 'x'})",
            ["Could not find a procedure called gds.fastRPP.mutate.", "Did you mean `gds.fastRP.mutate`?"],
        ),
        ("CALL gnn.pipeline.addNodeProperty('shop', 'fastRP', {})", ["mandatory", "`mutateProperty`"]),
        (
            "CALL gnn.pipeline.addNodeProperty('shop', 'fastRP', "
            "{mutateProperty: 'x', embeddingDimension: 'a'})",
            ["gds.fastRP.mutate", "embeddingDimension"],
        ),
        (
            "CALL gnn.pipeline.addNodeProperty('shop', 'fastRP', "
            "{mutateProperty: 'x', embeddingDimensio: 8})",
            ["embeddingDimension"],
        ),
        (
            "CALL gnn.pipeline.addNodeProperty('shop', 'fastRP', "
            "{mutateProperty: 'x', nodeLabels: ['User']})",
            ["nodeLabels"],
        ),
        ("CALL gnn.pipeline.addNodeProperty('shop', 'dbms.listConfig', {mutateProperty: 'x'})", ["gds."]),
        ("CALL gnn.pipeline.selectFeatures('shop', 5)", ["`featureProperties` must be a STRING"]),
        ("CALL gnn.pipeline.addModel('shop', 'fsm', {})", ["Unknown model 'fsm'. Did you mean `fism`?"]),
        (
            "CALL gnn.pipeline.addModel('shop', 'fism', {dimension: 0, learningRate: 0, epochz: 1})",
            ["`dimension` must be at least 1", "`learningRate` must be above 0", "Did you mean `epochs`?"],
        ),
        (
            "CALL gnn.pipeline.addModel('shop', 'fism', {dimension: {range: [64, 8]}})",
            ["end lies before its start"],
        ),
        (
            "CALL gnn.pipeline.addModel('shop', 'fism', {dimension: {rang: [8, 64]}})",
            ["{range: [low, high]}"],
        ),
        ("CALL gnn.pipeline.addModel('shop', 'popularity')", ["needs no training"]),
        (
            "CALL gnn.pipeline.configureSplit('shop', {method: 'tme', testFraction: 2.0})",
            ["'tme'", "`time`?", "testFraction"],
        ),
        (
            "CALL gnn.pipeline.configureSplit('shop', {method: 'time', count: 3})",
            ["goes with `method: 'leave-last'`"],
        ),
        (
            "CALL gnn.pipeline.configureSplit('shop', {method: 'random', randomSeed: 7})",
            ["CALL gnn.pipeline.configureTraining(name, {randomSeed: 7})"],
        ),
        ("CALL gnn.pipeline.configureAutoTuning('shop', {maxTrial: 3})", ["Did you mean `maxTrials`?"]),
        ("CALL gnn.pipeline.configureTraining('shop', {deploy: 'sometimes'})", ["always, ifBetter, never"]),
        ("CALL gnn.pipeline.train(null, {modelName: 'm'})", ["mandatory configuration parameter `pipeline`"]),
        ("CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: 'a b'})", ["`modelName` has 1 to 64"]),
        ("CALL gnn.pipeline.train(null, {pipeline: 'shp', modelName: 'm'})", ["`shp` does not exist"]),
        (
            "CALL gnn.pipeline.train('none', {pipeline: 'shop', modelName: 'm'})",
            ["Graph `none` does not exist"],
        ),
        (
            "CALL gnn.pipeline.train('g', {pipeline: 'shop', modelName: 'm', every: 'P1D'})",
            ["Give null as graphName"],
        ),
        (
            "CALL gnn.pipeline.train(null, {pipeline: 'shop', modelName: 'm', every: 'P1D', afterEvents: 3})",
            ["exclude each other"],
        ),
        (
            "CALL gnn.pipeline.fromTask('q', "
            "{recommend: 'Item', to: 'User', via: {BUY: 1}, timeProperty: 'att'})",
            ["`timeProperty` is 'att', but nothing in this database has such a property. Did you mean `at`?"],
        ),
        (
            "CALL gnn.pipeline.predict.stream(null, {modelName: 'm'})",
            ["Unknown model 'm'. Known: none; gnn.pipeline.train makes one"],
        ),
        ("CALL gnn.job.show('x')", ["You have no job 'x'.", "gnn.pipeline.train makes one"]),
        ("CALL gnn.job.cancel('x')", ["You have no job 'x'."]),
        ("CALL gnn.job.report('x', 'y', {})", ["may not call `gnn.job.report`", "server.gnn.worker.users="]),
        ("CALL gnn.job.lease({worker: 'w'})", ["may not call `gnn.job.lease`", "server.gnn.worker.users="]),
    ],
)
def test_misuse_is_answered_by_what_to_do_next(shop_with_pipeline, query, sentences):
    refused(shop_with_pipeline, query, *sentences)


@pytest.fixture(scope="module")
def shop_with_pipeline(server):
    """Only read by its tests: nothing of what they ask for is done."""
    server.clear()
    for label in ("User", "Item", "Category"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute(GRAPH)
    project(server)
    server.execute("CALL gnn.pipeline.fromTask('shop', $task)", task=TASK)
    return server


def test_training_is_refused_until_the_pipeline_is_whole_and_fits_the_projection(shop):
    train = "CALL gnn.pipeline.train('g', {pipeline: 'p', modelName: 'm'})"
    shop.execute("CALL gds.graph.project('g', ['User', 'Item'], 'VIEW')")
    call(shop, "CALL gnn.pipeline.create('p')")
    refused(shop, train, "has no task yet", "CALL gnn.pipeline.fromTask('p',")
    call(shop, "CALL gnn.pipeline.fromTask('p', $task)", task=TASK | {"alsoLabels": ["Category"]})
    refused(
        shop,
        train,
        "has no model to try. Add one: CALL gnn.pipeline.addModel('p', 'fism').",
        "The projection 'g' has no relationships of the task's type BUY.",
        "The projection 'g' has no nodes of the task's label Category.",
        "Project again with that",
    )
    call(shop, "CALL gnn.pipeline.addModel('p', 'graphsage', {identity: false})")
    call(shop, "CALL gnn.pipeline.addModel('p', 'content')")
    call(shop, "CALL gnn.pipeline.configureSplit('p', {method: 'time'})")
    call(shop, "CALL gnn.pipeline.selectFeatures('p', 'positon')")
    refused(
        shop,
        "CALL gnn.pipeline.train(null, {pipeline: 'p', modelName: 'm'})",
        "needs a horizon",
        "The selected feature `positon` is made by no step",
    )
    shop.execute("MATCH (p:GnnPipeline) SET p.features = []")
    refused(
        shop,
        "CALL gnn.pipeline.train(null, {pipeline: 'p', modelName: 'm'})",
        "with `identity: false` reads nothing but features, and there are none",
        "Model 'content' reads nothing but features, and there are none",
        "gnn.pipeline.addNodeProperty('p', 'fastRP'",
    )


def test_a_pipeline_that_was_edited_by_hand_is_checked_again_before_it_is_trained(shop):
    call(shop, "CALL gnn.pipeline.fromTask('p', $task)", task=TASK)
    shop.execute(
        "MATCH (p:GnnPipeline) SET p.steps = $steps, p.models = $models",
        steps='[{"procedure": "dbms.killThemAll", "config": {"mutateProperty": "x"}}]',
        models='[{"name": "evil", "config": {}}]',
    )
    refused(
        shop,
        "CALL gnn.pipeline.train(null, {pipeline: 'p', modelName: 'm'})",
        "Could not find a procedure called gds.dbms.killThemAll.mutate.",
        "Unknown model 'evil'.",
    )
    shop.execute("MATCH (p:GnnPipeline) SET p.models = 'broken'")
    refused(shop, "CALL gnn.pipeline.info('p')", "was changed by hand and is no JSON any more")


def test_estimates_are_given_for_the_database_and_for_the_trainer(shop):
    call(shop, "CALL gnn.pipeline.fromTask('p', $task)", task=TASK)
    project(shop)
    estimate = "CALL gnn.pipeline.train.estimate($graph, {pipeline: 'p', modelName: 'm'})"
    (own,) = call(shop, estimate, graph=None)
    (projected,) = call(shop, estimate, graph="g")
    assert (own["nodeCount"], own["relationshipCount"]) == (4, 3)
    assert (projected["nodeCount"], projected["relationshipCount"]) == (4, 3)
    # The projection is there in the second case: 4 nodes and 3 relationships less to hold.
    assert own["bytesMin"] - projected["bytesMin"] == 4 * 24 + 3 * 32
    # A program with PyTorch in it, and little else on a graph this small; measured figures stand in the docs.
    assert 2**29 < own["trainerBytes"] == projected["trainerBytes"] < 2**31
    # The largest candidate counts: 256 numbers more of each of 4 nodes, in 24 bytes.
    call(shop, "CALL gnn.pipeline.addModel('p', 'fism', {dimension: {range: [16, 512]}})")
    (wider,) = call(shop, estimate, graph="g")
    assert wider["trainerBytes"] - own["trainerBytes"] == 4 * 256 * 24


def test_nobody_sees_or_changes_the_pipelines_of_another(shop):
    call(shop, "CALL gnn.pipeline.fromTask('p', $task)", task=TASK)
    with shop.second_user() as bob:
        assert bob.execute_query("CALL gnn.pipeline.list()").records == []
        (there,) = bob.execute_query("CALL gnn.pipeline.exists('p')").records
        assert there["exists"] is False
        for query in (
            "CALL gnn.pipeline.info('p')",
            "CALL gnn.pipeline.drop('p')",
            "CALL gnn.pipeline.addModel('p', 'fism')",
            "CALL gnn.pipeline.train(null, {pipeline: 'p', modelName: 'm'})",
        ):
            with pytest.raises(neo4j.exceptions.ClientError, match="does not exist for user `bob`"):
                bob.execute_query(query)
        bob.execute_query("CALL gnn.pipeline.fromTask('p', $task)", task=TASK | {"via": {"BUY": 1.0}})
    (row,) = call(shop, "CALL gnn.pipeline.info('p') YIELD task")
    assert row["task"]["via"] == TASK["via"]
