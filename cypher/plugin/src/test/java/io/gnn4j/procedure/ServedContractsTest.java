// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.artefact.Golden;
import io.gnn4j.database.HandWorkedShop;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.registry.Artefacts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code vectors/1}, {@code item-weights/1} and {@code lists/1} from the file to the answer, by the numbers worked by hand. */
class ServedContractsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @BeforeAll
    static void register() {
        TestDatabase.register(ModelProcedure.class, EmbedPropagateProcedure.class, RecommendProcedure.class, SimilarProcedure.class,
            MemoryProcedure.class, StatusProcedure.class);
    }

    @BeforeEach
    void graph() throws IOException {
        HandWorkedShop.create();
    }

    private static byte[] edited(byte[] manifest, String from, String to) {
        var text = new String(manifest, StandardCharsets.UTF_8);
        assertThat(text).contains(from);
        return CanonicalJson.write(CanonicalJson.parse("test", text.replace(from, to).getBytes(StandardCharsets.UTF_8)));
    }

    private static void load(byte[] manifest, String folder, String file) {
        query("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.zip(ZipEntry.STORED, "manifest.json", manifest)));
        query("CALL gnn.model.addPart('shop', 1, $file, 0, $bytes)", Map.of("file", file, "bytes", Golden.bytes(folder + "/" + file)));
    }

    private static Map<String, Object> deploy(byte[] manifest, String folder, String file) {
        load(manifest, folder, file);
        var row = query("CALL gnn.embed.propagate(null, {model: 'shop:1'})").get(0);
        query("CALL gnn.model.alias('shop', 'shop', {version: 1})");
        return row;
    }

    private static JsonNode golden(String folder, String file) throws IOException {
        var expected = JSON.readTree(Golden.bytes(folder + "/expected.json"));
        var row = deploy(Golden.bytes(folder + "/manifest.json"), folder, file);
        assertThat(row).containsEntry("state", "ready")
            .containsEntry("unmatchedVectors", expected.get("unmatchedVectors").asLong())
            .containsEntry("unmatchedNodes", expected.get("unmatchedNodes").asLong());
        return expected;
    }

    private static List<Map<String, Object>> recommend(long user, int topK) {
        return query("MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: $k}) YIELD node, score, origin"
            + " RETURN node.id AS item, score, origin", Map.of("user", user, "k", topK));
    }

    private static void same(List<Map<String, Object>> found, JsonNode expected) {
        assertThat(found.stream().map(row -> row.get("item")).toList().toString()).isEqualTo(column(expected, 0));
        for (int i = 0; i < found.size(); i++) {
            assertThat((double) found.get(i).get("score")).isCloseTo(expected.get(i).get(1).asDouble(), within(1e-6));
            if (expected.get(i).has(2)) {
                assertThat(found.get(i)).containsEntry("origin", expected.get(i).get(2).asText());
            }
        }
    }

    private static String column(JsonNode rows, int column) {
        var values = new java.util.ArrayList<String>();
        rows.forEach(row -> values.add(row.get(column).asText()));
        return values.toString();
    }

    private static void sameForAll(JsonNode lists) {
        lists.properties().forEach(entry -> same(recommend(Long.parseLong(entry.getKey()), entry.getValue().size()), entry.getValue()));
    }

    private static void fails(String cypher, String message) {
        assertThatThrownBy(() -> query(cypher)).rootCause().hasMessageContaining(message);
    }

    @Test
    void vectorsAnswerAsWorkedByHand() throws IOException {
        var expected = golden("vectors", "vectors.arrow");
        sameForAll(expected.get("lists"));
        var stored = query("MATCH (n) WHERE n.gnn_shop_v1 IS NOT NULL RETURN n.id AS id, n.gnn_shop_v1 AS v ORDER BY id");
        assertThat(stored.stream().map(row -> row.get("id")).toList()).containsExactly(1L, 101L, 102L, 103L);
        assertThat((float[]) stored.get(0).get("v")).containsExactly(2, 1);
        assertThat(query("SHOW VECTOR INDEXES YIELD name, state")).containsExactly(Map.of("name", "gnn_shop_v1", "state", "ONLINE"));
        same(query("MATCH (u:User {id: 2}), (c:Item {id: 102}) CALL gnn.recommend.stream(u, {topK: 1, context: [c]})"
            + " YIELD node, score, origin RETURN node.id AS item, score, origin"), expected.get("context102").get("2"));
        same(query("MATCH (i:Item {id: 101}) CALL gnn.similar.stream(i) YIELD node, score RETURN node.id AS item, score"),
            expected.get("similar101"));
        var engine = query("CALL gnn.status() YIELD component, detail WHERE component = 'engine' RETURN detail").get(0);
        assertThat((String) engine.get("detail")).contains("gnn_shop_v1");
    }

    @Test
    void aUserIsFoldedInAsWorkedByHand() throws IOException {
        deploy(Golden.bytes("vectors/manifest_fold_in.json"), "vectors", "vectors.arrow");
        sameForAll(JSON.readTree(Golden.bytes("vectors/expected.json")).get("foldIn"));
    }

    @Test
    void aUserWhoseVectorIsNoneIsNotAnsweredInSilence() throws IOException {
        golden("vectors", "vectors.arrow");
        query("MATCH (u:User {id: 1}) SET u.gnn_shop_v1 = [1.0]");
        fails("MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u) YIELD node RETURN node", "has 1 numbers");
    }

    @Test
    void vectorsWrittenAgainLeaveNoStaleOnes() throws IOException {
        golden("vectors", "vectors.arrow");
        query("MATCH (i:Item {id: 103}) SET i.id = 105");
        assertThat(query("CALL gnn.embed.propagate(null, {model: 'shop'})").get(0))
            .containsEntry("unmatchedVectors", 3L).containsEntry("unmatchedNodes", 4L).containsEntry("nodePropertiesWritten", 3L);
        assertThat(query("MATCH (i:Item {id: 105}) RETURN i.gnn_shop_v1 IS NULL AS gone")).containsExactly(Map.of("gone", true));
    }

    @Test
    void itemWeightsAnswerAsWorkedByHand() throws IOException {
        var expected = golden("item_weights", "weights.arrow");
        sameForAll(expected.get("lists"));
        same(query("MATCH (i:Item {id: 103}) CALL gnn.recommend.stream(null, {topK: 3, history: [i]}) YIELD node, score, origin"
            + " RETURN node.id AS item, score, origin"), expected.get("visitor103"));
        same(query("MATCH (i:Item {id: 101}) CALL gnn.similar.stream(i) YIELD node, score RETURN node.id AS item, score"),
            expected.get("similar101"));
        fails("MATCH (u:User {id: 1}) CALL gnn.similar.stream(u) YIELD node RETURN node", "not which users. Use `method: 'walk'`");
        assertThat(query("CALL gnn.memory.list() YIELD kind, name, bytes RETURN kind, name, bytes > 0 AS counted"))
            .contains(Map.of("kind", "weights", "name", "shop:1", "counted", true));
        assertThat(query("MATCH (m:GnnModel) RETURN m.embeddingProperty IS NULL AND m.dimension IS NULL AS none"))
            .containsExactly(Map.of("none", true));
    }

    @Test
    void onlyTheNewestItemsAreAddedUp() throws IOException {
        deploy(edited(Golden.bytes("item_weights/manifest.json"), "\"history\":500", "\"history\":1"), "item_weights", "weights.arrow");
        sameForAll(JSON.readTree(Golden.bytes("item_weights/expected.json")).get("history1"));
    }

    @Test
    void whatTheCallerHasNotCommittedCountsInWeights() throws IOException {
        golden("item_weights", "weights.arrow");
        try (var tx = TestDatabase.begin()) {
            tx.execute("MATCH (u:User {id: 3}), (i:Item {id: 101}) CREATE (u)-[:BUY {at: 9}]->(i)").close();
            var row = tx.execute("MATCH (u:User {id: 3}) CALL gnn.recommend.stream(u, {topK: 1}) YIELD node, score"
                + " RETURN node.id AS item, score").next();
            assertThat(row).isEqualTo(Map.of("item", 102L, "score", 0.5));
        }
    }

    @Test
    void aDeletedItemLeavesAndOneThatGetsItsKeyComes() throws IOException {
        golden("item_weights", "weights.arrow");
        recommend(2, 2);
        query("MATCH (i:Item {id: 102}) DETACH DELETE i");
        assertThat(recommend(2, 1).get(0)).containsEntry("item", 103L);
        query("CREATE (:Item {id: 999})");
        assertThat(recommend(2, 1).get(0)).isEqualTo(Map.of("item", 999L, "score", 1.0, "origin", "exact"));
        query("MATCH (i:Item {id: 999}) SET i.id = 998");
        assertThat(recommend(2, 1).get(0)).containsEntry("item", 103L);
    }

    @Test
    void listsAnswerAsWorkedByHand() throws IOException {
        var expected = golden("lists", "lists.arrow");
        sameForAll(expected.get("lists"));
        query("MATCH (u:User {id: 1}), (i:Item {id: 103}) CREATE (u)-[:BUY {at: 5000}]->(i)");
        assertThat(recommend(1, 1).get(0)).containsEntry("item", 104L).containsEntry("origin", "list");
        query("MATCH (i:Item {id: 104}) SET i.sold = true");
        assertThat(query("MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u, {filter: {sold: false}}) YIELD node RETURN node")).isEmpty();
        fails("MATCH (i:Item {id: 101}) CALL gnn.similar.stream(i) YIELD node RETURN node", "say nothing of what is alike");
        assertThat(query("CALL gnn.memory.list() YIELD kind, name RETURN kind, name")).contains(Map.of("kind", "lists", "name", "shop:1"));
    }

    @ParameterizedTest
    @CsvSource({"vectors, vectors.arrow", "item_weights, weights.arrow", "lists, lists.arrow"})
    void changedBytesAreRefusedAndNothingIsReady(String folder, String file) {
        load(Golden.bytes(folder + "/manifest.json"), folder, file);
        fails("CALL gnn.embed.propagate('shop', {model: 'shop:1'})", "needs no projection. Give null as graphName.");
        query("MATCH (p:GnnModelPart {file: $file}) SET p.bytes = $bytes",
            Map.of("file", file, "bytes", new byte[Golden.bytes(folder + "/" + file).length]));
        fails("CALL gnn.embed.propagate(null, {model: 'shop:1'})", "is missing or was changed (sha256 differs)");
        assertThat(query("CALL gnn.model.list() YIELD state RETURN state")).containsExactly(Map.of("state", "building"));
    }

    @ParameterizedTest
    @CsvSource({"vectors, vectors.arrow", "item_weights, weights.arrow", "lists, lists.arrow"})
    void keysOfAnotherGraphAreRefused(String folder, String file) {
        load(Golden.bytes(folder + "/manifest.json"), folder, file);
        query("MATCH (n:User|Item) SET n.id = 'k' + toString(n.id)");
        fails("CALL gnn.embed.propagate(null, {model: 'shop:1'})", "belongs to a node: its keys are like INTEGER");
    }

    @Test
    void aNetworkWhereNoneBelongsIsRefused() {
        assertThatThrownBy(() -> query("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.zip(ZipEntry.STORED,
            "manifest.json", Golden.bytes("lists/manifest.json"), "model.onnx", Artefacts.MODEL))))
            .rootCause().hasMessageContaining("It has model.onnx, which a model of lists/1 does not have.");
    }
}
