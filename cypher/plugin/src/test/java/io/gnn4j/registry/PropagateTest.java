// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.database.HandWorkedShop;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.procedure.EmbedPropagateProcedure;
import io.gnn4j.procedure.ModelProcedure;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code gnn.embed.propagate} on a projection in a real database, against the numbers worked by hand. */
class PropagateTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @BeforeAll
    static void register() throws ReflectiveOperationException {
        TestDatabase.register(ModelProcedure.class, EmbedPropagateProcedure.class);
        // By name: GDS is imported by the package gds alone.
        TestDatabase.register(Class.forName("org.neo4j.gds.catalog.GraphProjectProc"),
            Class.forName("org.neo4j.gds.catalog.GraphDropProc"));
    }

    @BeforeEach
    void graph() throws IOException {
        HandWorkedShop.create();
        query("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.core()));
        query("CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 0, $bytes)", Map.of("bytes", Artefacts.VECTORS));
    }

    @AfterEach
    void dropGraph() {
        query("CALL gds.graph.drop('shop', false)");
    }

    private static void project(Object types) {
        query("CALL gds.graph.project('shop', ['User', 'Item'], $types)", Map.of("types", types));
    }

    private static Map<String, Object> propagate() {
        return query("CALL gnn.embed.propagate('shop', {model: 'shop', version: 1, concurrency: 4})").get(0);
    }

    private static long vectorsAt() {
        return (long) query("CALL gnn.model.list() YIELD vectorsAt RETURN vectorsAt").get(0).get("vectorsAt");
    }

    private static void fails(String cypher, String message) {
        assertThatThrownBy(() -> query(cypher)).rootCause().hasMessageContaining(message);
    }

    private static void checkVectors(JsonNode expected) {
        for (var row : query("MATCH (i:Item) RETURN toString(i.id) AS id, i.gnn_shop_v1 AS e, i.gnn_shop_v1_c AS c")) {
            close(row.get("e"), expected.get("e").get((String) row.get("id")));
            close(row.get("c"), expected.get("c").get((String) row.get("id")));
        }
        for (var row : query("MATCH (u:User) RETURN toString(u.id) AS id, u.gnn_shop_v1 AS q")) {
            close(row.get("q"), expected.get("q").get((String) row.get("id")));
        }
    }

    private static void close(Object stored, JsonNode expected) {
        assertThat(stored).isInstanceOf(float[].class);
        var vector = (float[]) stored;
        assertThat(vector).hasSize(expected.size());
        for (int d = 0; d < vector.length; d++) {
            assertThat((double) vector[d]).isCloseTo(expected.get(d).doubleValue(), org.assertj.core.data.Offset.offset(1e-6));
        }
    }

    @Test
    void theNodesGetTheNumbersWorkedByHandAndTheVersionIsReady() throws IOException {
        project(List.of("BUY", "VIEW"));
        assertThat(propagate()).containsEntry("state", "ready").containsEntry("items", 4L).containsEntry("users", 3L)
            .containsEntry("unmatchedVectors", 1L).containsEntry("unmatchedNodes", 1L).containsEntry("nodePropertiesWritten", 11L)
            .containsEntry("skippedMissing", 0L).containsEntry("skippedChanged", 0L);
        checkVectors(JSON.readTree(Golden.bytes("item_propagation/expected.json")));
        assertThat(query("SHOW VECTOR INDEXES YIELD name, state, labelsOrTypes, properties, options")).singleElement().satisfies(index -> {
            assertThat(index).containsEntry("name", "gnn_shop_v1").containsEntry("state", "ONLINE")
                .containsEntry("labelsOrTypes", List.of("Item")).containsEntry("properties", List.of("gnn_shop_v1"));
            assertThat(index.get("options").toString()).contains("vector.dimensions=2", "COSINE", "vector.quantization.type=NONE");
        });
        assertThat(query("CALL gnn.model.list() YIELD state, vectorsAt RETURN state, vectorsAt > 0 AS stamped"))
            .containsExactly(Map.of("state", "ready", "stamped", true));
        assertThat(query("CALL gnn.model.alias('shop', 'shop')").get(0)).containsEntry("version", 1L);
    }

    @Test
    void aProjectionMayBeUndirectedOrTurnedRound() throws IOException {
        project(Map.of("BUY", Map.of("orientation", "UNDIRECTED"), "VIEW", Map.of("orientation", "REVERSE")));
        propagate();
        checkVectors(JSON.readTree(Golden.bytes("item_propagation/expected.json")));
    }

    @Test
    void runningItAgainGivesTheSameAndTakesVectorsFromNodesOutsideTheGraph() throws IOException {
        project(List.of("BUY", "VIEW"));
        propagate();
        var before = vectorsAt();
        // As after a crash in the middle, with another node that an earlier run had reached.
        query("MATCH (i:Item {id: 102}) REMOVE i.gnn_shop_v1, i.gnn_shop_v1_c");
        query("CREATE (:Item {id: 500, gnn_shop_v1: [1.0, 1.0], gnn_shop_v1_c: [1.0, 1.0]})");
        query("MATCH (m:GnnModel) SET m.state = 'building'");
        assertThat(propagate()).containsEntry("nodePropertiesWritten", 11L);
        assertThat(query("MATCH (i:Item {id: 500}) RETURN keys(i) AS keys")).containsExactly(Map.of("keys", List.of("id")));
        query("MATCH (i:Item {id: 500}) DELETE i");
        checkVectors(JSON.readTree(Golden.bytes("item_propagation/expected.json")));
        assertThat(vectorsAt()).isGreaterThan(before);
    }

    @Test
    void usersAboveTheHistoryReadOnlyTheNewest() throws IOException {
        query("MATCH (m:GnnModel) DETACH DELETE m");
        query("CALL gnn.model.load('shop', $core)", Map.of("core",
            Artefacts.zip(java.util.zip.ZipEntry.STORED, "manifest.json", Artefacts.edited("\"history\":500", "\"history\":1"),
                "model.onnx", Artefacts.MODEL)));
        query("CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 0, $bytes)", Map.of("bytes", Artefacts.VECTORS));
        project(List.of("BUY", "VIEW"));
        propagate();
        var expected = JSON.readTree(Golden.bytes("item_propagation/expected.json")).get("history1").get("q");
        for (var row : query("MATCH (u:User) RETURN toString(u.id) AS id, u.gnn_shop_v1 AS q")) {
            close(row.get("q"), expected.get((String) row.get("id")));
        }
    }

    @Test
    void nodesThatChangedSinceTheyWereProjectedAreCountedNotWritten() {
        project(List.of("BUY", "VIEW"));
        query("MATCH (i:Item {id: 103}) DELETE i");
        query("MATCH (u:User {id: 3}) REMOVE u:User SET u:Person");
        assertThat(propagate()).containsEntry("skippedMissing", 1L).containsEntry("skippedChanged", 1L)
            .containsEntry("unmatchedVectors", 2L).containsEntry("nodePropertiesWritten", 8L);
    }

    @Test
    void whatTheGraphLacksIsNamedTogetherWithTheCallThatMendsIt() {
        query("CALL gds.graph.project('shop', ['User'], ['BUY'])");
        fails("CALL gnn.embed.propagate('shop', {model: 'shop', version: 1})",
            "Graph `shop` lacks the label 'Item', the relationship type 'VIEW', which the task of the model reads.");
        fails("CALL gnn.embed.propagate('shop', {model: 'shop', version: 1})",
            "Project again with gds.graph.project('shop', ['Item', 'User'], ['BUY', 'VIEW']).");
        fails("CALL gnn.embed.propagate('shpo', {model: 'shop:1'})", "project again with gds.graph.project('shpo', …)");
    }

    @Test
    void faultsAreFoundBeforeAnythingIsDone() {
        fails("CALL gnn.embed.propagate('shop', {version: 1, concurency: 9})", "`model` is missing");
        fails("CALL gnn.embed.propagate('shop', {model: 'shop'})", "No alias points to model 'shop'. Name a version, one of 'shop:1'");
        project(List.of("BUY", "VIEW"));
        fails("CREATE (:Item {id: 7}) WITH 1 AS one CALL gnn.embed.propagate('shop', {model: 'shop:1'}) YIELD state RETURN state",
            "this transaction already holds writes");
        query("MATCH (p:GnnModelPart {file: 'vectors.arrow'}) SET p.bytes = $bytes", Map.of("bytes", new byte[Artefacts.VECTORS.length]));
        fails("CALL gnn.embed.propagate('shop', {model: 'shop:1'})", "is missing or was changed (sha256 differs)");
        assertThat(query("MATCH (n) WHERE n.gnn_shop_v1 IS NOT NULL RETURN n")).isEmpty();
        assertThat(query("CALL gnn.model.list() YIELD state RETURN state")).containsExactly(Map.of("state", "building"));
    }

    @Test
    void aVersionWithoutItsPartsIsRefused() {
        query("CALL gnn.model.load('bare', $core)", Map.of("core", Artefacts.core()));
        project(List.of("BUY", "VIEW"));
        fails("CALL gnn.embed.propagate('shop', {model: 'bare:1'})", "Model 'bare:1' lacks parts: vectors.arrow piece 0.");
    }

    @Test
    void vectorsOfAnotherGraphAreRefused() {
        query("MATCH (i:Item) SET i.id = toString(i.id)");
        project(List.of("BUY", "VIEW"));
        fails("CALL gnn.embed.propagate('shop', {model: 'shop:1'})",
            "None of its 4 rows belongs to a node: its keys are like INTEGER 101,"
            + " those of :Item like STRING '10");
    }

    @Test
    void terminatingTheCallEndsItEvenWhereItWaitsForALock() throws Exception {
        project(List.of("BUY", "VIEW"));
        try (var other = TestDatabase.begin()) {
            other.execute("MATCH (i:Item {id: 103}) SET i.price = 1").close();
            var call = CompletableFuture.supplyAsync(PropagateTest::propagate);
            String id = null;
            for (int i = 0; i < 1200 && id == null; i++) {
                Thread.sleep(100);
                id = (String) query("SHOW TRANSACTIONS YIELD transactionId, statusDetails"
                    + " WHERE statusDetails STARTS WITH 'gnn.embed.propagate'"
                    + " RETURN transactionId AS id").stream().map(row -> row.get("id")).findFirst().orElse(null);
            }
            Thread.sleep(500);
            assertThat(call).isNotDone();
            query("TERMINATE TRANSACTION $id", Map.of("id", id));
            assertThatThrownBy(() -> call.get(120, TimeUnit.SECONDS)).isInstanceOf(ExecutionException.class);
        }
        assertThat(query("CALL gnn.model.list() YIELD state RETURN state")).containsExactly(Map.of("state", "building"));
        assertThat(propagate()).containsEntry("state", "ready");
    }

    @Test
    void aBrokenIndexOfThatNameIsMadeAnew() {
        query("CREATE VECTOR INDEX gnn_shop_v1 FOR (n:User) ON n.gnn_shop_v1 OPTIONS {indexConfig: {`vector.dimensions`: 7}}");
        project(List.of("BUY", "VIEW"));
        propagate();
        assertThat(query("SHOW VECTOR INDEXES YIELD labelsOrTypes")).containsExactly(Map.of("labelsOrTypes", List.of("Item")));
    }

    @Test
    void theEstimateNamesItsParts() {
        project(List.of("BUY", "VIEW"));
        var row = query("CALL gnn.embed.propagate.estimate('shop', {model: 'shop:1'})").get(0);
        assertThat(row).containsEntry("nodeCount", 7L).containsEntry("relationshipCount", 5L);
        var parts = (Map<?, ?>) row.get("mapView");
        assertThat(parts.get("vectors")).isEqualTo((3L * 4 + 3) * (4 * 2 + 24));
        assertThat((long) row.get("bytesMax")).isEqualTo(parts.values().stream().mapToLong(bytes -> (long) bytes).sum());
    }
}
