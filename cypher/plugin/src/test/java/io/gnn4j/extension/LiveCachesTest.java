// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.database.TestDatabase;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.memory.MemoryBudget;
import io.gnn4j.memory.MemoryRefused;
import io.gnn4j.procedure.RecommendProcedure;
import io.gnn4j.task.Task;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.neo4j.graphdb.Label;
import org.neo4j.internal.kernel.api.LabelsSupplier;
import org.neo4j.internal.kernel.api.connectioninfo.ClientConnectionInfo;
import org.neo4j.internal.kernel.api.security.AccessMode;
import org.neo4j.internal.kernel.api.security.PermissionState;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

class LiveCachesTest {
    private static final Runnable NO_GUARD = () -> { };

    private final AtomicLong maximum = new AtomicLong(64 << 20);
    private LiveCaches caches;
    private MemoryBudget budget;

    @BeforeEach
    void begin() {
        TestDatabase.clear();
        var services = TestDatabase.services();
        budget = new MemoryBudget(maximum::get);
        caches = new LiveCaches(services.databases(), services.config(), budget, services.logs());
        caches.start();
        TestDatabase.query("UNWIND range(1, 20) AS n CREATE (:Item {id: n, e: [toFloat(n), 1.0]})");
    }

    @AfterEach
    void end() {
        caches.stop();
        TestDatabase.clear();
    }

    private int size() {
        try (var held = caches.table(TestDatabase.get(), "Item", "e", 2, NO_GUARD)) {
            return held.value().snapshot().size();
        }
    }

    @Test
    void commitsReachTheTableBeforeTheyReturn() {
        assertThat(size()).isEqualTo(20);
        TestDatabase.query("MATCH (i:Item {id: 1}) DELETE i");
        TestDatabase.query("MATCH (i:Item {id: 2}) REMOVE i.e");
        TestDatabase.query("MATCH (i:Item {id: 3}) REMOVE i:Item");
        assertThat(size()).isEqualTo(17);
        TestDatabase.query("CREATE (:Item {id: 30, e: [1.0, 2.0]}), (:Other {e: [1.0, 2.0]})");
        assertThat(size()).isEqualTo(18);
    }

    @Test
    void whatDoesNotFitIsRefusedAndWhatIsUnusedMakesRoom() {
        maximum.set(1000);
        assertThatThrownBy(this::size).isInstanceOf(MemoryRefused.class).hasMessageContaining("vectors 'e of :Item' need");
        assertThat(budget.uses()).isEmpty();
        maximum.set(64 << 20);
        assertThat(size()).isEqualTo(20);
        assertThat(budget.uses()).singleElement().matches(use -> use.name().equals("e of :Item") && use.holders() == 0);
        maximum.set(budget.total());
        try (var other = caches.rows(TestDatabase.get(), "Item", "e", 2, NO_GUARD)) {
            assertThat(budget.uses()).singleElement().matches(use -> use.holders() == 1);
            assertThat(other.value().size()).isEqualTo(20);
        }
        caches.forget("neo4j", "e");
        assertThat(budget.uses()).isEmpty();
        assertThat(size()).isEqualTo(20);
    }

    @Test
    void loadingIsEndedByTheGuardAndCanBeTriedAgain() {
        assertThatThrownBy(() -> caches.popularity(TestDatabase.get(), Task.of(Map.of(
            "recommend", "Item", "to", "User", "via", Map.of("BUY", 1L))), () -> {
                throw new IllegalStateException("terminated");
            })).hasMessage("terminated");
        assertThat(budget.uses()).isEmpty();
    }

    /** Writers change and delete while a table is read for the first time; at the end it must be what is stored. */
    @Test
    void aTableThatIsReadWhileOthersCommitEndsUpRight() throws Exception {
        TestDatabase.query("UNWIND range(100, 3000) AS n CREATE (:Item {id: n, e: [toFloat(n), 1.0]})");
        for (int round = 0; round < 5; round++) {
            caches.forget("neo4j", "e");
            var running = new AtomicBoolean(true);
            var writer = CompletableFuture.runAsync(() -> {
                for (int n = 100; running.get(); n = n == 3000 ? 100 : n + 7) {
                    TestDatabase.query("MATCH (i:Item {id: " + n + "}) SET i.e = [i.e[0] + 1, 1.0]");
                    TestDatabase.query("CREATE (:Item {id: -1, e: [5.0, 5.0]})");
                    TestDatabase.query("MATCH (i:Item {id: -1}) DELETE i");
                }
            });
            size();
            running.set(false);
            writer.get(300, TimeUnit.SECONDS);
            try (var held = caches.table(TestDatabase.get(), "Item", "e", 2, NO_GUARD); var tx = TestDatabase.begin();
                    var graph = new LiveGraph(tx)) {
                assertThat(held.value().size()).isEqualTo(2921);
                tx.findNodes(Label.label("Item")).forEachRemaining(node -> {
                    var id = LiveGraph.id(node);
                    var stored = (double[]) graph.property(id, "e");
                    assertThat(held.value().get(id)).containsExactly((float) stored[0], (float) stored[1]);
                });
            }
        }
    }

    /** Nobody in Community has such rights; in Enterprise an administrator may give them. */
    @Test
    void whatTheCallerMayNotSeeIsReplacedByTheNext() {
        TestDatabase.register(RecommendProcedure.class);
        TestDatabase.query("MATCH (i:Item) WHERE i.id IN [3, 4] SET i:Secret");
        TestDatabase.query("CREATE (u:User) WITH u UNWIND [3, 4] AS n MATCH (i:Item {id: n}) CREATE (u)-[:BUY]->(i)");
        var call = "CALL gnn.recommend.stream(null, {method: 'popularity', topK: 2, task: {recommend: 'Item', to: 'User',"
            + " via: {BUY: 1}}}) YIELD node RETURN collect(elementId(node)) AS ids";
        try (var tx = (InternalTransaction) TestDatabase.begin()) {
            var items = (List<?>) tx.execute(
                "MATCH (i:Item) WITH i ORDER BY i.id RETURN collect(elementId(i)) AS ids").next().get("ids");
            assertThat(tx.execute(call).next().get("ids")).isEqualTo(items.subList(2, 4));
            int secret = tx.kernelTransaction().tokenRead().nodeLabel("Secret");
            var restricted = new SecurityContext(
                SecurityContext.AUTH_DISABLED.subject(), hiding(secret), ClientConnectionInfo.EMBEDDED_CONNECTION, "neo4j");
            try (var ignored = tx.overrideWith(restricted)) {
                assertThat(tx.execute(call).next().get("ids")).isEqualTo(items.subList(0, 2));
            }
        }
    }

    private static AccessMode hiding(int label) {
        return (AccessMode) Proxy.newProxyInstance(AccessMode.class.getClassLoader(), new Class<?>[] {AccessMode.class},
            (proxy, method, arguments) -> switch (method.getName()) {
                case "shouldBoostProcedure" -> PermissionState.NOT_GRANTED; // an ordinary user's procedures have the user's rights
                case "allowsTraverseAllLabels" -> false;
                case "allowsTraverseAllNodesWithLabel" -> false;
                case "disallowsTraverseLabel" -> (int) arguments[0] == label;
                case "allowsTraverseNode" -> arguments[0] instanceof LabelsSupplier labels
                    ? !labels.getLabels().contains(label)
                    : Arrays.stream((int[]) arguments[0]).noneMatch(one -> one == label);
                default -> {
                    try {
                        yield method.invoke(SecurityContext.AUTH_DISABLED.mode(), arguments);
                    } catch (InvocationTargetException wrong) {
                        throw wrong.getCause();
                    }
                }
            });
    }
}
