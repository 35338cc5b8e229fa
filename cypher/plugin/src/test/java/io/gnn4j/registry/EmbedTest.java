// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.procedure.EmbedNodesProcedure;
import io.gnn4j.procedure.EmbedProcedure;
import io.gnn4j.procedure.EmbedPropagateProcedure;
import io.gnn4j.procedure.ModelProcedure;
import io.gnn4j.procedure.RecommendProcedure;
import io.gnn4j.procedure.SimilarProcedure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code gnn.embed.*} in a real database with the graph of {@code tests/golden/padded_blocks}, against the numbers worked by hand. */
class EmbedTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** README.md of the golden folder, layer 3; what it does not list follows from layer 2: -h plus what is aggregated. */
    private static final Map<Long, List<Double>> EXPECTED = Map.of(
        101L, List.of(9.875, -7.75), 104L, List.of(0.0, -2.0), 1L, List.of(4.375, 6.375), 2L, List.of(17.75, 0.25), 3L, List.of(-2.0, 0.0),
        102L, List.of(-26.5 + 34, -26.0 + 23 + 1), 103L, List.of(-4.0, -14.0));
    private static final byte[] CORE = Artefacts.zip(ZipEntry.STORED, "manifest.json", Golden.bytes("padded_blocks/manifest.json"),
        "model.onnx", Golden.bytes("padded_blocks/model.onnx"));

    @BeforeAll
    static void register() throws ReflectiveOperationException {
        TestDatabase.register(ModelProcedure.class, EmbedPropagateProcedure.class, EmbedProcedure.class, EmbedNodesProcedure.class,
            RecommendProcedure.class, SimilarProcedure.class);
        // By name: GDS is imported by the package gds alone.
        TestDatabase.register(Class.forName("org.neo4j.gds.catalog.GraphProjectProc"),
            Class.forName("org.neo4j.gds.catalog.GraphDropProc"),
            Class.forName("org.neo4j.gds.catalog.GraphStreamNodePropertiesProc"));
    }

    @BeforeEach
    void graph() throws IOException {
        TestDatabase.clear();
        query("CREATE CONSTRAINT FOR (n:User) REQUIRE n.id IS UNIQUE");
        query("CREATE CONSTRAINT FOR (n:Item) REQUIRE n.id IS UNIQUE");
        var graph = JSON.readTree(Golden.bytes("padded_blocks/graph.json"));
        for (var node : graph.get("nodes")) {
            query("CREATE (n:$($label) {id: $key}) SET n += $properties", Map.of(
                "label", node.get("label").asText(), "key", node.get("key").asLong(), "properties", properties(node.get("properties"))));
        }
        for (var one : graph.get("relationships")) {
            query("MATCH (a {id: $a}), (b {id: $b}) CREATE (a)-[r:$($type)]->(b) SET r += $properties", Map.of("type",
                one.get("type").asText(), "a", one.get("source").asLong(), "b", one.get("target").asLong(),
                "properties", properties(one.get("properties"))));
        }
        query("CALL db.createRelationshipType('FOLLOWS')");
        query("CALL gnn.model.load('hand', $core)", Map.of("core", CORE));
    }

    private static Map<String, Object> properties(JsonNode map) {
        var found = new HashMap<String, Object>();
        map.fields().forEachRemaining(entry -> found.put(entry.getKey(), JSON.convertValue(entry.getValue(), Object.class)));
        return found;
    }

    @AfterEach
    void dropGraph() {
        query("CALL gds.graph.drop('hand', false)");
    }

    private static void project() {
        query("CALL gds.graph.project('hand', ['User', 'Item'], {BUY: {}, SIMILAR: {properties: 'weight'}, FOLLOWS: {}})");
    }

    private static void checkAll(String cypher) {
        var rows = query(cypher);
        assertThat(rows).hasSize(EXPECTED.size());
        for (var row : rows) {
            var vector = row.get("vector") instanceof float[] floats ? list(floats) : row.get("vector");
            assertThat(vector).as("node %s", row.get("id")).isEqualTo(EXPECTED.get((long) row.get("id")));
        }
    }

    private static List<Double> list(float[] floats) {
        var found = new ArrayList<Double>();
        for (var value : floats) {
            found.add((double) value);
        }
        return found;
    }

    private static void fails(String cypher, String... message) {
        assertThatThrownBy(() -> query(cypher)).rootCause().hasMessageContainingAll(message);
    }

    @Test
    void theProjectionGivesTheVectorsWorkedByHandInBatchesOfAnySize() {
        project();
        for (var size : List.of(1, 2, 100)) {
            checkAll("CALL gnn.embed.stream('hand', {model: 'hand:1', concurrency: 2, batchSize: " + size + "}) YIELD nodeId, embedding"
                + " MATCH (n) WHERE id(n) = nodeId RETURN n.id AS id, embedding AS vector");
        }
        assertThat(query("CALL gnn.embed.stream('hand', {model: 'hand:1', nodeLabels: 'Item'})")).hasSize(4);
        assertThat(query("CALL gnn.embed.stats('hand', {model: 'hand:1', concurrency: 1})").get(0)).containsEntry("nodeCount", 7L)
            .containsEntry("configuration", Map.of("model", "hand:1", "nodeLabels", List.of("Item", "User"), "concurrency", 1L,
                "batchSize", Map.of("Item", 4L, "User", 3L))); // all nodes of a label at once cost least
    }

    @Test
    void whatIsProjectedIsReadFromTheProjectionTheRestFromTheStore() {
        query("MATCH (i:Item) SET i.gnn_code_category = CASE i.category WHEN 'book' THEN 2 WHEN 'film' THEN 3 WHEN 'comic' THEN 1 END");
        query("CALL gds.graph.project('hand', {User: {}, Item: {properties: {price: {defaultValue: 0.0 / 0.0},"
            + " gnn_code_category: {defaultValue: -9223372036854775808}}}}, {BUY: {}, SIMILAR: {properties: 'weight'}, FOLLOWS: {}})");
        query("MATCH (i:Item) REMOVE i.price, i.category");
        checkAll("CALL gnn.embed.stream('hand', {model: 'hand:1'}) YIELD nodeId, embedding"
            + " MATCH (n) WHERE id(n) = nodeId RETURN n.id AS id, embedding AS vector");
    }

    @Test
    void aMutatedPropertyIsInTheProjectionAndAWrittenOneOnTheNodes() {
        project();
        assertThat(query("CALL gnn.embed.mutate('hand', {model: 'hand:1', mutateProperty: 'e'})").get(0))
            .containsEntry("nodePropertiesWritten", 7L);
        checkAll("CALL gds.graph.nodeProperty.stream('hand', 'e') YIELD nodeId, propertyValue"
            + " MATCH (n) WHERE id(n) = nodeId RETURN n.id AS id, [x IN propertyValue | toFloat(x)] AS vector");
        fails("CALL gnn.embed.mutate('hand', {model: 'hand:1', mutateProperty: 'e'})", "has a node property `e` already");
        assertThat(query("CALL gnn.embed.mutate('hand', {model: 'hand:1', mutateProperty: 'e', ifExists: 'replace'})").get(0))
            .containsEntry("nodePropertiesWritten", 7L);
        query("MATCH (u:User {id: 3}) REMOVE u:User SET u:Person");
        query("MATCH (i:Item {id: 104}) DELETE i");
        assertThat(query("CALL gnn.embed.write('hand', {model: 'hand:1', writeProperty: 'e'})").get(0))
            .containsEntry("nodeCount", 7L).containsEntry("nodePropertiesWritten", 5L).containsEntry("skippedMissing", 1L)
            .containsEntry("skippedChanged", 1L);
        assertThat(query("MATCH (n) WHERE n.e IS NOT NULL RETURN n.e AS vector, n.id AS id")).hasSize(5).allSatisfy(row ->
            assertThat(list((float[]) row.get("vector"))).isEqualTo(EXPECTED.get((long) row.get("id"))));
    }

    private static void deploy() {
        project();
        assertThat(query("CALL gnn.embed.propagate('hand', {model: 'hand', version: 1})").get(0)).containsEntry("state", "ready")
            .containsEntry("items", 4L).containsEntry("users", 3L).containsEntry("nodePropertiesWritten", 7L);
        query("CALL gnn.model.alias('hand', 'hand')");
    }

    @Test
    void aDeployedModelAnswersFromTheLiveGraph() {
        deploy();
        checkAll("MATCH (n:User|Item) RETURN n.id AS id, n.gnn_hand_v1 AS vector");
        assertThat(query("SHOW VECTOR INDEXES YIELD name, state, labelsOrTypes")).containsExactly(
            Map.of("name", "gnn_hand_v1", "state", "ONLINE", "labelsOrTypes", List.of("Item")));
        checkAll("MATCH (n:User|Item) WITH collect(n) AS nodes CALL gnn.embed.nodes(nodes, {model: 'hand'}) YIELD node, embedding"
            + " RETURN node.id AS id, embedding AS vector");
        // Dot products of user 3, [-2, 0], with the items that it has not bought.
        assertThat(query("MATCH (u:User {id: 3}) CALL gnn.recommend.stream(u, {topK: 4}) YIELD node, rank, score, origin"
            + " RETURN node.id AS id, rank, score, origin")).containsExactly(
                Map.of("id", 103L, "rank", 1L, "score", 8.0, "origin", "exact"),
                Map.of("id", 104L, "rank", 2L, "score", 0.0, "origin", "exact"),
                Map.of("id", 102L, "rank", 3L, "score", -15.0, "origin", "exact"),
                Map.of("id", 101L, "rank", 4L, "score", -19.75, "origin", "exact"));
        assertThat(query("MATCH (i:Item {id: 103}) CALL gnn.similar.stream(i, {topK: 1, similarity: 'dot'}) YIELD node"
            + " RETURN node.id AS id")).containsExactly(Map.of("id", 101L));
    }

    @Test
    void aUserOfTheSameTransactionIsEmbeddedByWhatItHasThere() {
        deploy();
        // User 2's twin: the same purchases and properties give the same vector.
        assertThat(query("MATCH (i:Item {id: 101}) CREATE (u:User {id: 9, member: false})-[:BUY]->(i)"
            + " WITH u CALL gnn.embed.nodes(u, {model: 'hand'}) YIELD embedding RETURN embedding")).hasSize(1)
            // Item 101 has three buyers now, of which the model draws two at the second hop and three at the first.
            .allSatisfy(row -> assertThat((List<?>) row.get("embedding")).hasSize(2));
        query("MATCH (u:User {id: 9}) DETACH DELETE u");
        assertThat(query("CREATE (u:User {id: 10, age: 30, taste: [0.5, -1.0]})"
            + " WITH u CALL gnn.embed.nodes(u, {model: 'hand'}) YIELD embedding RETURN embedding"))
            .containsExactly(Map.of("embedding", EXPECTED.get(3L)));
    }

    @Test
    void aVisitorIsTheMeanOfTheItemsItHasSeen() {
        deploy();
        // (103 + 104) / 2 = [-2, -8]: 101 gives -19.75 + 62 = 42.25, 102 gives -15 + 16 = 1.
        assertThat(query("MATCH (a:Item {id: 103}), (b:Item {id: 104}) CALL gnn.recommend.stream(null, {history: [a, b], topK: 2})"
            + " YIELD node, score, origin RETURN node.id AS id, score, origin")).containsExactly(
                Map.of("id", 101L, "score", 42.25, "origin", "cold"), Map.of("id", 102L, "score", 1.0, "origin", "cold"));
    }

    @Test
    void embeddingAgainIsHarmlessAndTakesVectorsFromNodesOutsideTheGraph() {
        deploy();
        query("CREATE (:Item {id: 500, gnn_hand_v1: [1.0, 1.0]})");
        assertThat(query("CALL gnn.embed.propagate('hand', {model: 'hand:1'})").get(0)).containsEntry("nodePropertiesWritten", 7L);
        assertThat(query("MATCH (i:Item {id: 500}) RETURN keys(i) AS keys")).containsExactly(Map.of("keys", List.of("id")));
    }

    @Test
    void faultsAreFoundBeforeAnythingIsDone() {
        fails("CALL gnn.embed.write('hand', {modle: 'hand:1', concurrency: 9})", "`model` is missing", "`writeProperty` is missing",
            "Did you mean `model`?", "`concurrency` must lie in [1, 4]");
        fails("CALL gnn.embed.stream('hand', {model: 'hand:1'})", "gds.graph.project");
        project();
        fails("CALL gnn.embed.stream('hand', {model: 'hand:1', nodeLabels: ['Itme']})", "does not embed. Did you mean `Item`?");
        fails("CREATE (:Item {id: 7}) WITH 1 AS one CALL gnn.embed.write('hand', {model: 'hand:1', writeProperty: 'e'})"
            + " YIELD nodeCount RETURN nodeCount", "this transaction already holds writes");
        query("MATCH (u:User {id: 1}) SET u.age = 'forty', u.taste = [1.0]");
        fails("CALL gnn.embed.stats('hand', {model: 'hand:1'})", "Feature `age` of :User node", "A number is expected, found STRING forty.",
            "Feature `taste`", "A list of 2 numbers is expected, found a list of 1.");
    }

    @Test
    void aProjectionThatLacksWhatTheModelReadsIsNamed() {
        query("CALL gds.graph.project('hand', ['User', 'Item'], ['BUY'])");
        fails("CALL gnn.embed.stats('hand', {model: 'hand:1'})", "Unknown relationship type 'SIMILAR' in graph `hand`.");
        query("CALL gds.graph.drop('hand')");
        query("CALL gds.graph.project('hand', ['User'], ['BUY', 'SIMILAR', 'FOLLOWS'])");
        fails("CALL gnn.embed.stats('hand', {model: 'hand:1'})", "Item");
    }

    @Test
    void theEstimateNamesItsParts() {
        project();
        var row = query("CALL gnn.embed.write.estimate('hand', {model: 'hand:1', writeProperty: 'e'})").get(0);
        assertThat(row).containsEntry("nodeCount", 7L).containsEntry("relationshipCount", 10L);
        var parts = (Map<?, ?>) row.get("mapView");
        assertThat(parts.get("features")).isEqualTo(4L * (4 * (1 + 3) + 3 * 4));
        assertThat((long) row.get("bytesMax")).isEqualTo(parts.values().stream().mapToLong(bytes -> (long) bytes).sum());
    }
}
