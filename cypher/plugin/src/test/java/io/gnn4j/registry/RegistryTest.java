// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.artefact.Hash;
import io.gnn4j.database.TestDatabase;
import io.gnn4j.memory.MemoryBudget;
import io.gnn4j.procedure.ModelProcedure;
import io.gnn4j.writeback.OwnTransactions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.neo4j.internal.kernel.api.security.SecurityContext;

/** {@code gnn.model.*} in a real database. */
class RegistryTest {
    @BeforeAll
    static void register() {
        TestDatabase.register(ModelProcedure.class);
    }

    @BeforeEach
    void graph() {
        TestDatabase.clear();
        query("CREATE CONSTRAINT FOR (n:User) REQUIRE n.id IS UNIQUE");
        query("CREATE CONSTRAINT FOR (n:Item) REQUIRE n.id IS UNIQUE");
        query("CREATE (u:User {id: 1})-[:VIEW {at: 1}]->(i:Item {id: 101}), (u)-[:BUY {at: 2}]->(i)");
    }

    /** A registry that has nothing in memory yet, as after a restart. */
    private static Models fresh() {
        return new Models(1, new MemoryBudget(() -> Long.MAX_VALUE));
    }

    private static Map<String, Object> load(String name, byte[] core) {
        return query("CALL gnn.model.load($name, $core)", Map.of("name", name, "core", core)).get(0);
    }

    private static Map<String, Object> addVectors(String name, long version) {
        return query("CALL gnn.model.addPart($name, $version, 'vectors.arrow', 0, $bytes)",
            Map.of("name", name, "version", version, "bytes", Artefacts.VECTORS)).get(0);
    }

    /** A version whose vectors are said to be written. */
    private static void ready(String name, byte[] core) {
        var version = (long) load(name, core).get("version");
        addVectors(name, version);
        query("MATCH (m:GnnModel {name: $name, version: $version}) SET m.state = 'ready', m.vectorsAt = 5",
            Map.of("name", name, "version", version));
    }

    private static void fails(String cypher, Map<String, Object> parameters, String message) {
        assertThatThrownBy(() -> query(cypher, parameters)).rootCause().hasMessageContaining(message);
    }

    @Test
    void aVersionIsLoadingUntilItsPartsAreThereAndThenBuilding() {
        assertThat(load("shop", Artefacts.core())).containsEntry("name", "shop").containsEntry("version", 1L)
            .containsEntry("contract", "item-propagation/1").containsEntry("sha256", Hash.sha256(Artefacts.MANIFEST))
            .containsEntry("state", "loading").containsEntry("partsMissing", List.of(Map.of("file", "vectors.arrow", "index", 0L)));
        assertThat(addVectors("shop", 1)).containsEntry("state", "building").containsEntry("partsMissing", List.of());
        assertThat(addVectors("shop", 1)).containsEntry("state", "building");
        assertThat(query("MATCH (:GnnModel)-[:HAS_PART]->(p) RETURN p.file AS file, p.index AS index ORDER BY file"))
            .containsExactly(Map.of("file", "manifest.json", "index", 0L), Map.of("file", "model.onnx", "index", 0L),
                Map.of("file", "vectors.arrow", "index", 0L));
    }

    @Test
    void theSameArtefactGoesOnWithItsVersionAnotherOneMakesTheNext() {
        assertThat(load("shop", Artefacts.core())).containsEntry("version", 1L);
        addVectors("shop", 1);
        assertThat(load("shop", Artefacts.core())).containsEntry("version", 1L).containsEntry("state", "building");
        assertThat(load("shop", Artefacts.otherCore(2))).containsEntry("version", 2L).containsEntry("state", "loading");
        assertThat(load("other", Artefacts.core())).containsEntry("version", 1L);
        assertThat(query("CALL gnn.model.list() YIELD name, version RETURN name, version")).containsExactly(
            Map.of("name", "other", "version", 1L), Map.of("name", "shop", "version", 1L), Map.of("name", "shop", "version", 2L));
    }

    @Test
    void loadingBelongsToTheCallersTransaction() {
        try (var tx = TestDatabase.begin()) {
            tx.execute("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.core())).close();
            tx.rollback();
        }
        assertThat(query("CALL gnn.model.list() YIELD name RETURN name")).isEmpty();
    }

    @Test
    void twoLoadsAtOnceGetTwoNumbers() throws Exception {
        CompletableFuture<Map<String, Object>> second;
        try (var tx = TestDatabase.begin()) {
            tx.execute("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.core())).resultAsString();
            second = CompletableFuture.supplyAsync(() -> load("shop", Artefacts.otherCore(2)));
            Thread.sleep(300);
            assertThat(second).isNotDone();
            tx.commit();
        }
        assertThat(second.get(120, TimeUnit.SECONDS)).containsEntry("version", 2L);
    }

    @Test
    void anArtefactThatDoesNotFitTheDatabaseIsRefusedWithEverythingThatIsMissing() {
        TestDatabase.clear();
        query("CREATE (:Itm), (:User)");
        fails("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.core()), "it does not fit this database:");
        query("CREATE (:Item)");
        fails("CALL gnn.model.load('shop', $core)", Map.of("core", Artefacts.core()),
            "There is no uniqueness constraint on id of :Item; keys would not name one node."
                + " Create it: CREATE CONSTRAINT FOR (n:`Item`) REQUIRE n.`id` IS UNIQUE.");
    }

    @Test
    void badArgumentsAreNamed() {
        fails("CALL gnn.model.load('my shop', $core)", Map.of("core", Artefacts.core()),
            "A name of a model has 1 to 64 of the characters A-Z, a-z, 0-9 and _, but 'my shop' was given.");
        fails("CALL gnn.model.load('shop', 'path/to/model.zip')", Map.of(), "`artefact` must be BYTES");
        fails("CALL gnn.model.load('shop', $core, {kepPrevious: 1})", Map.of("core", Artefacts.core()),
            "Unknown configuration key `kepPrevious`.");
        load("shop", Artefacts.core());
        fails("CALL gnn.model.addPart('shop', 2, 'vectors.arrow', 0, $bytes)", Map.of("bytes", Artefacts.VECTORS),
            "Unknown model 'shop:2'. Load its artefact first");
        fails("CALL gnn.model.addPart('shop', 1, 'vectors.arow', 0, $bytes)", Map.of("bytes", Artefacts.VECTORS),
            "Model 'shop:1' has no part 'vectors.arow'. Its parts: model.onnx, vectors.arrow.");
        fails("CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 1, $bytes)", Map.of("bytes", Artefacts.VECTORS),
            "Part 'vectors.arrow' has the pieces 0 to 0, but piece 1 was given.");
        fails("CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 0, $bytes)", Map.of("bytes", Artefacts.MODEL),
            "is not the one the manifest names");
    }

    @Test
    void anAliasPointsToReadyVersionsOnlyAndMovesOnlyFromWhereItIsExpected() {
        load("shop", Artefacts.core());
        fails("CALL gnn.model.alias('live', 'shop', {version: 1})", Map.of(), "Model 'shop:1' is loading, not ready");
        fails("CALL gnn.model.alias('live', 'shop')", Map.of(), "No version of model 'shop' is ready: 1 is loading.");
        fails("CALL gnn.model.alias('live', 'shpo')", Map.of(), "Unknown model 'shpo'. Did you mean `shop`?");
        ready("shop", Artefacts.core());
        ready("shop", Artefacts.otherCore(2));
        assertThat(query("CALL gnn.model.alias('live', 'shop', {version: 1, expected: 0})").get(0))
            .containsEntry("version", 1L).containsEntry("aliases", List.of("live"));
        fails("CALL gnn.model.alias('live', 'shop', {version: 2, expected: 0})", Map.of(),
            "Alias 'live' points to 'shop:1', not to nothing as expected");
        assertThat(query("CALL gnn.model.alias('live', 'shop', {expected: 1})").get(0)).containsEntry("version", 2L);
        assertThat(query("MATCH (a:GnnAlias)-[r]->(m) RETURN a.name AS alias, type(r) AS type, m.version AS version"))
            .containsExactly(Map.of("alias", "live", "type", "POINTS_TO", "version", 2L));
    }

    @Test
    void aModelArgumentIsAnAliasAVersionOrTheOnlyAliasForTheLabel() {
        ready("shop", Artefacts.core());
        var models = fresh();
        try (var tx = TestDatabase.begin()) {
            assertThatThrownBy(() -> models.resolve(tx, "shop", List.of())).hasMessage("No alias points to model 'shop'."
                + " Name a version, one of 'shop:1', or point an alias to it with `CALL gnn.model.alias`.");
            assertThatThrownBy(() -> models.resolve(tx, null, List.of("User"))).hasMessageContaining("There is no model in this database.");
            assertThat(models.resolve(tx, "shop:1", List.of()).reference()).isEqualTo("shop:1");
            assertThatThrownBy(() -> models.resolve(tx, "shop:7", List.of()))
                .hasMessage("Unknown version 7 of model 'shop'. Known: 'shop:1'.");
            assertThatThrownBy(() -> models.resolve(tx, "shop:0", List.of()))
                .hasMessageContaining("A model is an alias ('shop') or a version ('shop:3')");
        }
        query("CALL gnn.model.alias('live', 'shop', {version: 1})");
        try (var tx = TestDatabase.begin()) {
            var served = models.resolve(tx, null, List.of("Person", "User"));
            assertThat(served.alias()).isEqualTo("live");
            assertThat(served.embeddingProperty()).isEqualTo("gnn_shop_v1");
            assertThat(served.contextProperty()).isEqualTo("gnn_shop_v1_c");
            assertThat(served.vectorsAt()).isEqualTo(5);
            assertThat(served.dimension()).isEqualTo(2);
            assertThat(models.resolve(tx, null, List.of("Item")).alias()).isEqualTo("live");
            assertThat(models.resolve(tx, null, List.of()).alias()).isEqualTo("live");
            assertThatThrownBy(() -> models.resolve(tx, null, List.of("Shop")))
                .hasMessage("No alias has a model for a node labelled :Shop. Known: live.");
            assertThatThrownBy(() -> models.resolve(tx, "life", List.of()))
                .hasMessage("Unknown model 'life'. Did you mean `live`? Known: live.");
            assertThat(models.exists(tx, "live")).isTrue();
            assertThat(models.exists(tx, "shop")).isFalse();
        }
        query("CALL gnn.model.alias('beta', 'shop', {version: 1})");
        try (var tx = TestDatabase.begin()) {
            assertThatThrownBy(() -> models.resolve(tx, null, List.of("User")))
                .hasMessage("Several aliases have a model for a node labelled :User: beta, live. Name one with `model`.");
        }
        assertThat(query("RETURN gnn.model.exists('shop:1') AS one, gnn.model.exists('nope') AS none"))
            .containsExactly(Map.of("one", true, "none", false));
    }

    @Test
    void anUnfinishedVersionAnswersNobody() {
        load("shop", Artefacts.core());
        try (var tx = TestDatabase.begin()) {
            assertThatThrownBy(() -> fresh().resolve(tx, "shop:1", List.of())).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Model 'shop:1' is loading, not ready.");
        }
    }

    @Test
    void storedBytesAreCheckedAgainWhenTheyAreOpened() {
        ready("shop", Artefacts.core());
        query("CALL gnn.model.alias('live', 'shop')");
        query("MATCH (p:GnnModelPart {file: 'model.onnx'}) SET p.bytes = $other", Map.of("other", new byte[Artefacts.MODEL.length]));
        try (var models = fresh(); var tx = TestDatabase.begin();
                var lease = models.acquire(TestDatabase.get(), tx, "live", List.of())) {
            assertThatThrownBy(() -> lease.userEncoder(tx)).hasMessageContaining("sha256 differs");
        }
        query("MATCH (p:GnnModelPart {file: 'manifest.json'}) SET p.bytes = $other",
            Map.of("other", Artefacts.edited("\"history\":500", "\"history\":5")));
        try (var tx = TestDatabase.begin()) {
            assertThatThrownBy(() -> fresh().resolve(tx, "live", List.of()))
                .hasMessageContaining("The stored manifest of 'shop:1' is missing or was changed");
        }
        try (var tx = TestDatabase.begin()) {
            assertThat(fresh().loader().list(tx)).singleElement().satisfies(info -> assertThat(info.contract()).isNull());
        }
    }

    @Test
    void theEncoderOfAStoredModelIsOpenedOnceAndItsMemoryIsCounted() {
        ready("shop", Artefacts.core());
        query("CALL gnn.model.alias('live', 'shop')");
        var memory = new MemoryBudget(() -> 1L << 20);
        try (var models = new Models(1, memory); var tx = TestDatabase.begin()) {
            try (var lease = models.acquire(TestDatabase.get(), tx, "live", List.of());
                    var other = models.acquire(TestDatabase.get(), tx, "shop:1", List.of())) {
                assertThat(lease.userEncoder(tx).encode(new float[] {1, 2}, new float[] {1}, 4)).containsExactly(2, 4);
                other.userEncoder(tx);
                assertThat(memory.uses()).singleElement().satisfies(use -> {
                    assertThat(use.name()).isEqualTo("shop:1");
                    assertThat(use.bytes()).isGreaterThan(2 * Artefacts.MODEL.length);
                    assertThat(use.holders()).isEqualTo(2);
                });
            }
            // Nobody holds it now: whoever needs the room gets it, and the next call opens it again.
            memory.reserve("other", "thing", "neo4j", null, 1L << 20, () -> { }).close();
            assertThat(memory.uses()).isEmpty();
            try (var lease = models.acquire(TestDatabase.get(), tx, "live", List.of())) {
                assertThat(lease.userEncoder(tx).encode(new float[] {1, 2}, new float[] {1}, 4)).containsExactly(2, 4);
            }
        }
    }

    @Test
    void droppingTakesNodesVectorsAndIndexButNothingAnAliasPointsTo() {
        ready("shop", Artefacts.core());
        query("CALL gnn.model.alias('live', 'shop')");
        query("MATCH (n:User|Item) SET n.gnn_shop_v1 = [1.0, 2.0], n.gnn_shop_v1_c = [1.0, 2.0], n.gnn_shop_v10 = [1.0, 2.0]");
        query("CREATE VECTOR INDEX gnn_shop_v1 FOR (n:Item) ON n.gnn_shop_v1 OPTIONS {indexConfig: {`vector.dimensions`: 2}}");
        fails("CALL gnn.model.drop('shop')", Map.of(), "Alias 'live' points to 'shop:1'. Point it to another version first");
        ready("shop", Artefacts.otherCore(2));
        fails("CALL gnn.model.drop('shop')", Map.of(), "Model 'shop' has several versions: 1, 2. Name one with `version`.");
        query("CALL gnn.model.alias('live', 'shop')");
        assertThat(query("CALL gnn.model.drop('shop', {version: 1})"))
            .containsExactly(Map.of("name", "shop", "version", 1L, "nodePropertiesRemoved", 2L));
        assertThat(query("MATCH (n:User|Item) RETURN DISTINCT keys(n) AS keys")).allSatisfy(row ->
            assertThat((List<?>) row.get("keys")).hasSize(2).asString().contains("gnn_shop_v10"));
        assertThat(query("SHOW VECTOR INDEXES YIELD name")).isEmpty();
        assertThat(query("MATCH (m:GnnModel) RETURN m.version AS v")).containsExactly(Map.of("v", 2L));
        assertThat(query("MATCH (p:GnnModelPart) RETURN count(p) AS parts")).containsExactly(Map.of("parts", 3L));
        fails("CALL gnn.model.drop('shop', {version: 1})", Map.of(), "Unknown version 1 of model 'shop'. Known: 'shop:2'.");
        assertThat(query("CALL gnn.model.drop('shop', {version: 1, failIfMissing: false})")).isEmpty();
    }

    @Test
    void droppingWaitsForCallsThatUseTheVersion() throws Exception {
        ready("shop", Artefacts.core());
        var models = io.gnn4j.database.TestDatabase.services().models();
        CompletableFuture<List<Map<String, Object>>> drop;
        try (var tx = TestDatabase.begin(); var lease = models.acquire(TestDatabase.get(), tx, "shop:1", List.of())) {
            drop = CompletableFuture.supplyAsync(() -> query("CALL gnn.model.drop('shop')"));
            var until = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
            while (query("MATCH (m:GnnModel {state: 'retired'}) RETURN m.version AS v").isEmpty() && System.nanoTime() < until) {
                Thread.sleep(50);
            }
            assertThat(drop).isNotDone();
            assertThat(lease.userEncoder(tx).dimension()).isEqualTo(2);
            try (var later = TestDatabase.begin()) {
                assertThatThrownBy(() -> models.acquire(TestDatabase.get(), later, "shop:1", List.of()))
                    .hasMessageContaining("is retired, not ready");
            }
        }
        assertThat(drop.get(120, TimeUnit.SECONDS)).hasSize(1);
        assertThat(query("MATCH (m:GnnModel) RETURN m.version AS v")).isEmpty();
    }

    @Test
    void aSweepFinishesARemovalThatWasCutShortAndTouchesNothingElse() {
        ready("shop", Artefacts.core());
        ready("shop", Artefacts.otherCore(2));
        load("shop", Artefacts.otherCore(3));
        query("MATCH (m:GnnModel {version: 1}) SET m.state = 'retired'");
        query("MATCH (i:Item) SET i.gnn_shop_v1 = [1.0, 2.0], i.gnn_shop_v2 = [1.0, 2.0]");
        var own = new OwnTransactions(TestDatabase.get(), SecurityContext.AUTH_DISABLED, () -> { });
        assertThat(fresh().removal().sweep(Models.id(TestDatabase.get()), own, () -> { }))
            .containsExactly(new ModelRemoval.Removed("shop", 1, 1));
        assertThat(query("MATCH (m:GnnModel) RETURN m.version AS version, m.state AS state ORDER BY version")).containsExactly(
            Map.of("version", 2L, "state", "ready"), Map.of("version", 3L, "state", "loading"));
        assertThat(query("MATCH (i:Item) RETURN i.gnn_shop_v1 IS NULL AND i.gnn_shop_v2 IS NOT NULL AS kept"))
            .containsExactly(Map.of("kept", true));
    }

    @Test
    void droppingIsRefusedInATransactionThatHoldsWrites() {
        ready("shop", Artefacts.core());
        fails("CREATE (:User {id: 9}) WITH 1 AS one CALL gnn.model.drop('shop') YIELD version RETURN version", Map.of(),
            "`gnn.model.drop` commits in transactions of its own, and this transaction already holds writes.");
    }

    @Test
    void exportGivesBackTheBytesThatWereLoaded() {
        ready("shop", Artefacts.core());
        var rows = query("CALL gnn.model.export('shop')");
        assertThat(rows).extracting(row -> row.get("file")).containsExactly("manifest.json", "model.onnx", "vectors.arrow");
        assertThat(rows).extracting(row -> row.get("bytes")).containsExactly(Artefacts.MANIFEST, Artefacts.MODEL, Artefacts.VECTORS);
    }
}
