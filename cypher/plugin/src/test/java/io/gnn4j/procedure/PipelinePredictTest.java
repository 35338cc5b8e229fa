// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.artefact.Golden;
import io.gnn4j.database.HandWorkedShop;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.registry.Artefacts;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Predictions for all users, against the lists of the golden {@code vectors/1} that were worked by hand. */
class PipelinePredictTest {
    /** User, item, score: {@code tests/golden/vectors/expected.json}. */
    private static final List<List<Object>> EXPECTED = List.of(
        List.of(1L, 103L, 3.0), List.of(1L, 104L, 1.0), List.of(2L, 103L, 1.0), List.of(2L, 102L, 0.0), List.of(3L, 101L, 2.0),
        List.of(3L, 102L, 1.0), List.of(3L, 104L, 1.0), List.of(3L, 103L, 0.0));

    @BeforeAll
    static void register() throws ReflectiveOperationException {
        TestDatabase.register(
            ModelProcedure.class, EmbedPropagateProcedure.class, RecommendProcedure.class, PipelinePredictProcedure.class);
        for (var name : List.of("GraphProjectProc", "GraphDropProc", "GraphStreamRelationshipPropertiesProc")) {
            TestDatabase.register(Class.forName("org.neo4j.gds.catalog." + name));
        }
    }

    @BeforeEach
    void graph() throws IOException {
        HandWorkedShop.create();
        query("CALL gnn.model.load('shop', $core)", Map.of("core",
            Artefacts.zip(ZipEntry.STORED, "manifest.json", Golden.bytes("vectors/manifest.json"))));
        query("CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 0, $bytes)", Map.of("bytes", Golden.bytes("vectors/vectors.arrow")));
        query("CALL gnn.embed.propagate(null, {model: 'shop:1'})");
        query("CALL gnn.model.alias('shop', 'shop', {version: 1})");
        query("CALL gds.graph.project('all', ['User', 'Item'], 'BUY')");
    }

    @AfterEach
    void drop() {
        query("UNWIND ['all', 'some', 'items'] AS name CALL gds.graph.drop(name, false) YIELD graphName RETURN graphName");
    }

    private static List<List<Object>> triples(String cypher) {
        return query(cypher).stream().map(row -> List.of(row.get("user"), row.get("item"), row.get("score"))).toList();
    }

    private static List<List<Object>> streamed(String graphName, String configuration) {
        return triples("CALL gnn.pipeline.predict.stream(" + graphName + ", " + configuration + ") YIELD source, node, score"
            + " RETURN source.id AS user, node.id AS item, score");
    }

    private static void fails(String cypher, String... message) {
        assertThatThrownBy(() -> query(cypher)).rootCause().hasMessageContainingAll(message);
    }

    @Test
    void everyUserGetsTheListWorkedByHand() {
        assertThat(new HashSet<>(streamed("null", "{modelName: 'shop', topK: 4}"))).isEqualTo(new HashSet<>(EXPECTED));
        assertThat(streamed("'all'", "{modelName: 'shop:1', topK: 4}")).isEqualTo(streamed("null", "{modelName: 'shop', topK: 4}"));
        assertThat(query("CALL gnn.pipeline.predict.stream(null, {modelName: 'shop'}) YIELD source, rank WHERE rank = 1"
            + " RETURN id(source) AS id").stream().map(row -> (Long) row.get("id")).toList()).hasSize(3).isSorted();
    }

    @Test
    void aProjectionGetsTheListsAsRelationshipsWithTheirScore() {
        var row = query("CALL gnn.pipeline.predict.mutate('all', {modelName: 'shop', topK: 4, mutateRelationshipType: 'LIKELY'})").get(0);
        assertThat(row).containsEntry("users", 3L).containsEntry("relationshipsWritten", (long) EXPECTED.size());
        assertThat((Map<?, ?>) row.get("configuration")).isEqualTo(Map.of("graphName", "all", "modelName", "shop:1", "topK", 4L,
            "method", "vector", "mutateRelationshipType", "LIKELY", "mutateProperty", "score",
            "concurrency", ((Map<?, ?>) row.get("configuration")).get("concurrency")));
        var found = triples("CALL gds.graph.relationshipProperty.stream('all', 'score', ['LIKELY'])"
            + " YIELD sourceNodeId, targetNodeId, propertyValue MATCH (u), (i) WHERE id(u) = sourceNodeId AND id(i) = targetNodeId"
            + " RETURN u.id AS user, i.id AS item, propertyValue AS score");
        assertThat(found).containsExactlyInAnyOrderElementsOf(EXPECTED);
        fails("CALL gnn.pipeline.predict.mutate('all', {modelName: 'shop', mutateRelationshipType: 'LIKELY'})",
            "has a relationship type `LIKELY` already", "gds.graph.relationships.drop('all', 'LIKELY')");
        assertThat(query("MATCH ()-[r:LIKELY]->() RETURN r")).isEmpty();
    }

    @Test
    void aPartOfTheGraphIsAnsweredFromThatPart() {
        query("MATCH (u:User {id: 3}) MATCH (i:Item) WHERE i.id <> 103 SET u:Chosen, i:Chosen");
        query("MATCH (n:Chosen) WITH collect(id(n)) AS ids CALL gds.graph.project.cypher('some',"
            + " 'MATCH (n:Chosen) RETURN id(n) AS id, [l IN labels(n) WHERE l <> \"Chosen\"] AS labels',"
            + " 'MATCH (n:Chosen) RETURN id(n) AS source, id(n) AS target') YIELD graphName RETURN graphName");
        assertThat(streamed("'some'", "{modelName: 'shop'}")).containsExactlyInAnyOrderElementsOf(
            EXPECTED.stream().filter(row -> row.get(0).equals(3L) && !row.get(1).equals(103L)).toList());
        assertThat(query("MATCH (i:Item) WHERE i.id IN [101, 103] WITH collect(i) AS named"
            + " CALL gnn.pipeline.predict.stream('some', {modelName: 'shop', candidates: named}) YIELD node RETURN node.id AS item"))
            .containsExactly(Map.of("item", 101L));
        query("MATCH (n:Chosen) REMOVE n:User");
        assertThat(streamed("'some'", "{modelName: 'shop'}")).isEmpty();
    }

    @Test
    void whatIsWrittenIsWhatIsStreamed() {
        var row = query("CALL gnn.pipeline.predict.write('all', {modelName: 'shop', topK: 4, batchSize: 2})").get(0);
        assertThat(row).containsEntry("users", 3L).containsEntry("relationshipsWritten", (long) EXPECTED.size())
            .containsEntry("model", "shop").containsEntry("version", 1L).containsEntry("batchesFailed", 0L);
        assertThat(triples("MATCH (u)-[r:RECOMMENDED]->(i) RETURN u.id AS user, i.id AS item, r.score AS score"))
            .containsExactlyInAnyOrderElementsOf(EXPECTED);
        fails("CREATE (:Other) WITH 1 AS x CALL gnn.pipeline.predict.write(null, {modelName: 'shop'}) YIELD users RETURN users",
            "already holds writes");
    }

    @Test
    void estimatesCountAndLeaveEverythingAsItIs() {
        for (var mode : List.of("stream", "mutate", "write")) {
            var type = mode.equals("mutate") ? ", mutateRelationshipType: 'LIKELY'" : "";
            var row = query("CALL gnn.pipeline.predict." + mode + ".estimate('all', {modelName: 'shop', topK: 2" + type + "})").get(0);
            assertThat(row).containsEntry("nodeCount", 3L).containsEntry("relationshipCount", 6L);
            assertThat((long) row.get("bytesMin")).isPositive().isLessThan((long) row.get("bytesMax"));
        }
        assertThat(query("MATCH ()-[r:RECOMMENDED]->() RETURN r")).isEmpty();
        query("CALL gnn.pipeline.predict.mutate('all', {modelName: 'shop', mutateRelationshipType: 'LIKELY'})");
    }

    @Test
    void aWrongCallIsToldWhatToDo() {
        fails("CALL gnn.pipeline.predict.stream(null, {model: 'shop', topk: 3})", "`modelName` is missing",
            "Unknown configuration key `model`", "Did you mean `topK`?");
        fails("CALL gnn.pipeline.predict.stream('al', {modelName: 'shop'})", "Graph `al` does not exist", "Did you mean `all`?");
        fails("CALL gnn.pipeline.predict.mutate(null, {modelName: 'shop', mutateRelationshipType: 'L'})", "gnn.pipeline.predict.write");
        fails("CALL gnn.pipeline.predict.mutate('all', {modelName: 'shop', mutateRelationshipType: ' ', topK: 5000})",
            "`mutateRelationshipType` is missing", "at most 1000");
        fails("CALL gnn.pipeline.predict.write(null, {modelName: 'shop', writeRelationshipType: 'A`B'})", "must be letters A to Z");
        fails("CALL gnn.pipeline.predict.stream(null, {modelName: 'sho'})", "Did you mean");
        query("CALL gds.graph.project('items', 'Item', '*')");
        fails("CALL gnn.pipeline.predict.stream('items', {modelName: 'shop'})", "has no nodes of label 'User'", "Its labels: Item");
        query("CALL gds.graph.drop('all')");
        fails("CALL gnn.pipeline.predict.stream('all', {modelName: 'shop'})", "Graph `all` does not exist", "project again");
    }
}
