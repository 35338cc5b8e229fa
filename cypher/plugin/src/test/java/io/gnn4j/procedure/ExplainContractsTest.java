// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.registry.Artefacts;
import java.io.IOException;
import java.util.Comparator;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.neo4j.graphdb.Transaction;

/** What {@code gnn.explain.stream} says of models by item weights and by surroundings, against what taking away does. */
class ExplainContractsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SCORE = "MATCH (u:User {id: $user}), (i:Item {id: $item})"
        + " CALL gnn.recommend.stream(u, {candidates: [i], seen: []}) YIELD score, origin WHERE origin = 'exact' RETURN score";
    private static final String EXPLAIN = "MATCH (u:User {id: $user}), (i:Item {id: $item}) CALL gnn.explain.stream(u, i)"
        + " YIELD path, contribution RETURN CASE WHEN path IS NULL THEN null ELSE nodes(path)[1].id END AS via, contribution";

    @BeforeAll
    static void register() throws ReflectiveOperationException {
        TestDatabase.register(ModelProcedure.class, EmbedPropagateProcedure.class, RecommendProcedure.class, ExplainProcedure.class);
        // By name: GDS is imported by the package gds alone.
        TestDatabase.register(Class.forName("org.neo4j.gds.catalog.GraphProjectProc"),
            Class.forName("org.neo4j.gds.catalog.GraphDropProc"));
    }

    @BeforeEach
    void clear() {
        TestDatabase.clear();
        query("CREATE CONSTRAINT FOR (n:User) REQUIRE n.id IS UNIQUE");
        query("CREATE CONSTRAINT FOR (n:Item) REQUIRE n.id IS UNIQUE");
    }

    @AfterEach
    void dropGraph() {
        query("CALL gds.graph.drop('hand', false)");
    }

    private static void graph(String folder) throws IOException {
        var graph = JSON.readTree(Golden.bytes(folder + "/graph.json"));
        for (var node : graph.get("nodes")) {
            query("CREATE (n:$($label) {id: $key}) SET n += $properties", Map.of("label", node.get("label").asText(),
                "key", node.get("key").asLong(), "properties", map(node.get("properties"))));
        }
        for (var one : graph.get("relationships")) {
            var at = one.has("at") ? Map.of("at", one.get("at").asLong()) : map(one.get("properties"));
            query("MATCH (a:User|Item {id: $a}), (b:User|Item {id: $b}) CREATE (a)-[r:$($type)]->(b) SET r += $properties",
                Map.of("type", one.get("type").asText(), "a", one.get("source").asLong(), "b", one.get("target").asLong(),
                    "properties", at));
        }
    }

    private static Map<?, ?> map(com.fasterxml.jackson.databind.JsonNode node) {
        return node == null ? Map.of() : JSON.convertValue(node, Map.class);
    }

    private static Double score(Transaction tx, long user, long item) {
        try (var result = tx.execute(SCORE, Map.of("user", user, "item", item))) {
            return result.hasNext() ? (Double) result.next().get("score") : null;
        }
    }

    @Test
    void theWeightsOfWhatWasTouchedAddUpToTheScore() throws IOException {
        graph("item_propagation");
        query("CALL gnn.model.load('shop', $core)", Map.of("core",
            Artefacts.zip(ZipEntry.STORED, "manifest.json", Golden.bytes("item_weights/manifest.json"))));
        query("CALL gnn.model.addPart('shop', 1, 'weights.arrow', 0, $bytes)",
            Map.of("bytes", Golden.bytes("item_weights/weights.arrow")));
        query("CALL gnn.embed.propagate(null, {model: 'shop:1'})");
        query("CALL gnn.model.alias('shop', 'shop', {version: 1})");
        assertThat(compare(false)).isPositive();
    }

    @Test
    void whatAnItemAddsIsWhatTheScoreFallsByWithoutIt() throws IOException {
        graph("padded_blocks");
        serveByBlocks();
        assertThat(compare(true)).isGreaterThan(4);
    }

    /** The model draws two items of a user: what is taken away changes which two. */
    @Test
    void thisHoldsForMoreItemsThanTheModelDrawsToo() throws IOException {
        graph("padded_blocks");
        query("UNWIND range(1, 15) AS n CREATE (:Item {id: 200 + n, price: 3.5 * n, category: ['book', 'film'][n % 2], tags: ['new']})");
        query("CREATE (:User {id: 9, age: 40, member: true, taste: [0.5, -1.0]})");
        query("MATCH (u:User {id: 9}), (i:Item) WHERE i.id > 101 CREATE (u)-[:BUY {at: i.id}]->(i)");
        query("MATCH (u:User), (i:Item) WHERE u.id < 4 AND i.id % 4 = u.id CREATE (u)-[:BUY {at: 5000}]->(i)");
        query("MATCH (i:Item), (j:Item) WHERE i.id > 200 AND j.id = i.id + 1 CREATE (i)-[:SIMILAR {weight: 0.25}]->(j)");
        serveByBlocks();
        assertThat(compare(true)).isGreaterThan(18 * 18);
    }

    private static void serveByBlocks() throws IOException {
        query("CALL db.createRelationshipType('FOLLOWS')");
        query("CALL gnn.model.load('hand', $core)", Map.of("core", Artefacts.zip(ZipEntry.STORED,
            "manifest.json", Golden.bytes("padded_blocks/manifest.json"), "model.onnx", Golden.bytes("padded_blocks/model.onnx"))));
        query("CALL gds.graph.project('hand', ['User', 'Item'], {BUY: {}, SIMILAR: {properties: 'weight'}, FOLLOWS: {}})");
        query("CALL gnn.embed.propagate('hand', {model: 'hand', version: 1})");
        query("CALL gnn.model.alias('hand', 'hand')");
    }

    /** @return how many contributions were compared with the score without the item */
    private static int compare(boolean rest) {
        var compared = 0;
        for (var pair : query("MATCH (u:User)-[:BUY|VIEW]->(), (i:Item) RETURN DISTINCT u.id AS user, i.id AS item")) {
            var user = (long) pair.get("user");
            var item = (long) pair.get("item");
            Double before;
            try (var tx = TestDatabase.begin()) {
                before = score(tx, user, item);
            }
            if (before == null) {
                continue;
            }
            var rows = query(EXPLAIN, Map.of("user", user, "item", item));
            assertThat(rows.stream().mapToDouble(row -> (double) row.get("contribution")).sum()).isCloseTo(before, within(1e-5));
            assertThat(rows.get(rows.size() - 1).get("via") == null).isEqualTo(rest);
            var parts = rows.subList(0, rows.size() - (rest ? 1 : 0));
            assertThat(parts.stream().map(row -> (Double) row.get("contribution"))).isSortedAccordingTo(Comparator.reverseOrder());
            for (var row : parts) {
                try (var tx = TestDatabase.begin()) {
                    tx.execute("MATCH (:User {id: $user})-[r:BUY|VIEW]->(:Item {id: $via}) DELETE r",
                        Map.of("user", user, "via", row.get("via"))).close();
                    var after = score(tx, user, item);
                    if (after != null) { // without evidence popularity answers
                        assertThat(before - after).isCloseTo((double) row.get("contribution"), within(1e-5));
                        compared++;
                    }
                }
            }
        }
        return compared;
    }
}
