// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;

import io.gnn4j.artefact.Golden;
import io.gnn4j.database.HandWorkedShop;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.registry.Artefacts;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.LabelsSupplier;
import org.neo4j.internal.kernel.api.connectioninfo.ClientConnectionInfo;
import org.neo4j.internal.kernel.api.security.AccessMode;
import org.neo4j.internal.kernel.api.security.AuthSubject;
import org.neo4j.internal.kernel.api.security.PermissionState;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.internal.kernel.api.security.StaticAccessMode;
import org.neo4j.kernel.api.KernelTransaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/**
 * Callers who may not read everything, as an Enterprise server has them: the kernel enforces what their access mode says. What
 * they get is what everybody would get if the nodes they may not see were deleted.
 */
class RestrictedAccessTest {
    private static final String TASK = "{recommend: 'Item', to: 'User', key: {User: 'id', Item: 'id'},"
        + " via: {BUY: 1.0, VIEW: 0.25}, timeProperty: 'at'}";
    private static final String ROWS = " YIELD node, rank, score, origin RETURN node.id AS item, rank, score, origin";

    @BeforeAll
    static void register() {
        TestDatabase.register(ModelProcedure.class, EmbedPropagateProcedure.class, RecommendProcedure.class, SimilarProcedure.class,
            ExplainProcedure.class);
    }

    @BeforeEach
    void graph() throws IOException {
        HandWorkedShop.create();
        query("CALL db.createLabel('Secret')");
        query("MATCH (i:Item) SET i.price = 5");
    }

    private static void deploy(String folder, String file) {
        query("CALL gnn.model.load('shop', $core)", Map.of("core",
            Artefacts.zip(ZipEntry.STORED, "manifest.json", Golden.bytes(folder + "/manifest.json"))));
        query("CALL gnn.model.addPart('shop', 1, $file, 0, $bytes)", Map.of("file", file, "bytes", Golden.bytes(folder + "/" + file)));
        query("CALL gnn.embed.propagate(null, {model: 'shop:1'})");
        query("CALL gnn.model.alias('shop', 'shop', {version: 1})");
    }

    /** A transaction of a caller who sees no node with the label Secret and no property price. */
    private static InternalTransaction restricted() {
        int label;
        int price;
        try (var tx = TestDatabase.begin()) {
            var tokens = ((InternalTransaction) tx).kernelTransaction().tokenRead();
            label = tokens.nodeLabel("Secret");
            price = tokens.propertyKey("price");
        }
        var mode = (AccessMode) Proxy.newProxyInstance(AccessMode.class.getClassLoader(), new Class<?>[] {AccessMode.class},
            (proxy, method, arguments) -> switch (method.getName()) {
                case "allowsTraverseAllLabels", "allowsTraverseAllNodesWithLabel", "allowsTraverseAndReadAllMatchingNodeProperties" ->
                    false;
                case "shouldBoostProcedure", "shouldBoostFunction", "shouldBoostAggregatingFunction" -> PermissionState.NOT_GRANTED;
                case "disallowsTraverseLabel" -> arguments[0].equals(label);
                case "allowsTraverseNode" -> arguments[0] instanceof LabelsSupplier labels
                    ? !labels.getLabels().contains(label) : !has((int[]) arguments[0], label);
                case "allowsReadNodeProperties" -> !has((int[]) arguments[1], price);
                case "allowedToReadNodeProperties" -> (IntPredicate) key -> key != price;
                default -> method.invoke(StaticAccessMode.FULL, arguments);
            });
        return TestDatabase.get().beginTransaction(KernelTransaction.Type.EXPLICIT,
            new SecurityContext(AuthSubject.AUTH_DISABLED, mode, ClientConnectionInfo.EMBEDDED_CONNECTION, "neo4j"));
    }

    private static boolean has(int[] tokens, int token) {
        for (var one : tokens) {
            if (one == token) {
                return true;
            }
        }
        return false;
    }

    private static List<Map<String, Object>> rows(Transaction tx, String cypher) {
        try (var result = tx.execute(cypher)) {
            var rows = new ArrayList<Map<String, Object>>();
            result.forEachRemaining(rows::add);
            return rows;
        }
    }

    /** @return the rows of the restricted caller, which equal those of a graph without what is hidden */
    private static List<Map<String, Object>> asIfDeleted(String cypher) {
        List<Map<String, Object>> expected;
        try (var tx = TestDatabase.begin()) {
            tx.execute("MATCH (n:Secret) DETACH DELETE n").close();
            expected = rows(tx, cypher);
        }
        try (var tx = restricted()) {
            assertThat(rows(tx, cypher)).as(cypher).isEqualTo(expected);
        }
        return expected;
    }

    private static boolean hides(String cypher) {
        try (var tx = TestDatabase.begin()) {
            return !rows(tx, cypher).equals(asIfDeleted(cypher));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {101, 102, 103})
    void anItemThatMayNotBeReadIsNowhereAndTheNextComes(long item) {
        deploy("vectors", "vectors.arrow");
        query("MATCH (i:Item {id: " + item + "}) SET i:Secret");
        var different = 0;
        for (var user : query("MATCH (u:User) RETURN u.id AS id ORDER BY id")) {
            var match = "MATCH (u:User {id: " + user.get("id") + "}) ";
            different += hides(match + "CALL gnn.recommend.stream(u, {topK: 10, seen: []})" + ROWS) ? 1 : 0;
            for (var method : List.of("method: 'walk'", "method: 'popularity'", "blend: {walk: 1.0, popularity: 0.5}")) {
                hides(match + "CALL gnn.recommend.stream(u, {topK: 10, seen: [], " + method + ", task: " + TASK + "})" + ROWS);
            }
        }
        for (var one : List.of(101, 102, 103)) {
            var match = "MATCH (i:Item {id: " + one + "}) ";
            hides(match + "CALL gnn.similar.stream(i, {topK: 10})" + ROWS);
        }
        assertThat(different).isPositive();
    }

    @Test
    void nobodyWalksOverAUserWhoMayNotBeRead() {
        query("MATCH (u:User {id: 2}) SET u:Secret");
        // Counts of users are those of the whole graph, as last committed: beta would divide by them.
        var walk = "method: 'walk', walk: {beta: 0}, task: " + TASK + "}) YIELD node, score, scores"
            + " RETURN node.id AS item, score, scores.count AS count, [s IN scores.supporters | s.id] AS supporters";
        var different = 0;
        for (var user : query("MATCH (u:User) WHERE NOT u:Secret RETURN u.id AS id ORDER BY id")) {
            different += hides("MATCH (u:User {id: " + user.get("id") + "}) CALL gnn.recommend.stream(u, {seen: [], " + walk) ? 1 : 0;
        }
        for (var item : query("MATCH (i:Item) RETURN i.id AS id ORDER BY id")) {
            different += hides("MATCH (i:Item {id: " + item.get("id") + "}) CALL gnn.recommend.stream(i, {" + walk) ? 1 : 0;
        }
        assertThat(different).isPositive();
    }

    @Test
    void reasonsGoOverWhatMayBeReadAlone() {
        deploy("item_weights", "weights.arrow");
        var explain = "MATCH (u:User) CALL gnn.recommend.stream(u, {seen: []}) YIELD node AS i, origin"
            + " WITH u, i, origin ORDER BY u.id, i.id WHERE origin = 'exact' CALL gnn.explain.stream(u, i) YIELD path, contribution"
            + " RETURN u.id AS user, i.id AS item, [n IN nodes(path) | n.id] AS path, contribution";
        assertThat(rowsOf(explain)).isNotEmpty();
        query("MATCH (i:Item {id: 101}) SET i:Secret");
        assertThat(hides(explain)).isTrue();
    }

    @Test
    void aPropertyThatMayNotBeReadIsAbsent() {
        var call = "MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u, {seen: [], filter: {price: {gte: 1}}, method: 'popularity', task: "
            + TASK + "})" + ROWS;
        assertThat(rowsOf(call)).hasSizeGreaterThan(2);
        try (var tx = restricted()) {
            assertThat(rows(tx, call)).isEmpty();
        }
    }

    private static List<Map<String, Object>> rowsOf(String cypher) {
        try (var tx = TestDatabase.begin()) {
            return rows(tx, cypher);
        }
    }
}
