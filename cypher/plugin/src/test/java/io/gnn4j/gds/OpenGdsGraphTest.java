// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.graph.GraphChanged;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.graph.PropertySpec;
import io.gnn4j.graph.PropertyType;
import io.gnn4j.graph.Relation;
import io.gnn4j.graph.TypedGraph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.api.properties.nodes.LongNodePropertyValues;
import org.neo4j.gds.core.loading.GraphStoreCatalog;

class OpenGdsGraphTest {
    private static final Runnable GUARD = () -> {};
    private final OpenGdsCatalog catalog = new OpenGdsCatalog();

    @AfterEach
    void dropAll() {
        GraphStoreCatalog.removeAllLoadedGraphs();
    }

    /** Added out of order, so that GDS's dense ids are not ours. */
    private static Projections shop() {
        return new Projections()
            .node(50, "User").node(7, "Item").node(30, "User").node(20, "Item").node(10, "User").node(99, "Ghost")
            .type("BUY", "at", "weight")
            .relationship("BUY", 50, 20, 3, 1).relationship("BUY", 50, 7, 2, Double.NaN)
            .relationship("BUY", 50, 20, 1, 5).relationship("BUY", 10, 7, 9, 1)
            .relationship("BUY", 30, 30, 4, 4).relationship("BUY", 30, 99, 1, 1);
    }

    private TypedGraph open(List<String> labels, List<String> priority) {
        return catalog.open("ann", "test", "shop").typed(labels, priority, GUARD);
    }

    @Test
    void indexIsTheRankByNeo4jIdWithinTheType() {
        shop().register("ann", "shop");
        var graph = open(List.of("User", "Item"), List.of());
        assertThat(graph.nodeCount("User")).isEqualTo(3);
        assertThat(List.of(graph.nodeId("User", 0), graph.nodeId("User", 1), graph.nodeId("User", 2)))
            .containsExactly(10L, 30L, 50L);
        assertThat(graph.indexOf("Item", 20)).isEqualTo(1);
        assertThat(graph.indexOf("User", 20)).isEqualTo(-1);
        assertThat(graph.indexOf("User", 12_345)).isEqualTo(-1);
        assertThat(graph.indexOf("User", -3)).isEqualTo(-1);
    }

    @Test
    void relationsHoldNeighboursByIndexAndKeepParallelOnesInOrderOfTheirValues() {
        shop().register("ann", "shop");
        var graph = open(List.of("User", "Item"), List.of());
        var buy = new Relation("User", "BUY", "Item");
        assertThat(graph.relations(List.of(), GUARD)).containsExactly(new Relation("User", "BUY", "User"), buy);
        var csr = graph.csr(buy, List.of("at", "weight"), GUARD);
        assertThat(csr.offsets()).containsExactly(0, 1, 1, 4);
        assertThat(csr.targets()).containsExactly(0, 0, 1, 1);
        assertThat(csr.properties()[0]).containsExactly(9, 2, 1, 3);
        assertThat(csr.properties()[1]).containsExactly(1, Double.NaN, 5, 1);
        assertThat(graph.csr(buy, List.of("weight"), GUARD).properties()[0]).containsExactly(1, Double.NaN, 1, 5);
        assertThat(graph.csrBytes(buy, 2, GUARD)).isEqualTo(4 * 8 + 4 * 20);
        assertThat(graph.relationshipCount(new Relation("Item", "BUY", "User"), GUARD)).isZero();
        var reversed = csr.reversed(2, GUARD);
        assertThat(reversed.offsets()).containsExactly(0, 2, 4);
        assertThat(reversed.targets()).containsExactly(0, 2, 2, 2);
        assertThat(reversed.properties()[0]).containsExactly(9, 2, 1, 3);
    }

    @Test
    void emptyTypesAndEmptyGraphsAreNoError() {
        shop().register("ann", "shop");
        var graph = open(List.of("Item"), List.of());
        assertThat(graph.relations(List.of(), GUARD)).isEmpty();
        assertThat(graph.csr(new Relation("Item", "BUY", "Item"), List.of(), GUARD).offsets()).containsExactly(0, 0, 0);
        new Projections().type("T").register("ann", "nothing");
        var nothing = catalog.open("ann", "test", "nothing").typed(List.of(), List.of(), GUARD);
        assertThat(nothing.relations(List.of(), GUARD)).isEmpty();
    }

    @Test
    void aNodeOfTwoTypesIsRefusedUnlessALabelDecides() {
        new Projections().node(1, "A").node(2, "A", "B").node(3, "A", "B", "C").type("T")
            .relationship("T", 1, 2).register("ann", "shop");
        assertThatThrownBy(() -> open(List.of(), List.of())).hasMessageStartingWith(
            "2 nodes of graph `shop` carry several of the labels, such as 2 (A, B); 3 (A, B, C).");
        assertThat(open(List.of(), List.of("B")).nodeCount("B")).isEqualTo(2);
        assertThat(open(List.of(), List.of("C", "B")).nodeCount("C")).isEqualTo(1);
        // Only what is asked for counts: under A and C, node 2 has one type.
        assertThatThrownBy(() -> open(List.of("A", "C"), List.of())).hasMessageStartingWith("1 nodes");
        assertThatThrownBy(() -> open(List.of("a"), List.of("D"))).hasMessage(
            "Several faults in the configuration: Unknown node label 'a' in `nodeLabels`. Did you mean `A`? Known: A, B, C."
                + " Unknown node label 'D' in `labelPriority`. Did you mean `A`? Known: A, B, C.");
    }

    @Test
    void propertiesFollowTheIndexAndKnowWhatIsMissing() {
        var store = shop().register("ann", "shop");
        store.addNodeProperty(Set.of(NodeLabel.of("User")), "age", new LongNodePropertyValues() {
            @Override
            public long longValue(long node) {
                long id = store.nodes().toOriginalNodeId(node);
                return id == 30 ? Long.MIN_VALUE : id + 1;
            }

            @Override
            public long nodeCount() {
                return store.nodeCount();
            }
        });
        var graph = open(List.of("User", "Item"), List.of());
        assertThat(graph.graph().nodeProperties("User")).containsExactly(new PropertySpec("age", PropertyType.LONG));
        assertThat(graph.graph().nodeProperties("Item")).isEmpty();
        var age = graph.nodeProperty("User", "age");
        assertThat(age.longAt(0)).isEqualTo(11);
        assertThat(age.isMissing(1)).isTrue();
        assertThat(age.isMissing(2)).isFalse();
        assertThatThrownBy(() -> graph.nodeProperty("User", "Age")).hasMessage(
            "Nodes of type 'User' in graph `shop` have no property `Age`. Did you mean `age`? Known: age.");
    }

    @Test
    void aGraphIsSeenByItsOwnerOnly() {
        shop().register("ann", "shop");
        shop().register("bob", "shopping");
        assertThatThrownBy(() -> catalog.open("ann", "test", "shopp")).isInstanceOf(GraphNotFound.class).hasMessage(
            "Graph `shopp` does not exist in database `test`. Did you mean `shop`? Your graphs: shop."
                + " Projections end with the server: project again with gds.graph.project('shopp', …).");
        assertThatThrownBy(() -> catalog.open("bob", "test", "shop")).isInstanceOf(GraphNotFound.class)
            .hasMessageContaining("Your graphs: shopping.");
        assertThatThrownBy(() -> catalog.open("", "test", "shop")).isInstanceOf(GraphNotFound.class);
    }

    @Test
    void aGraphThatWasProjectedAnewIsNotTheGraphThatWasOpened() {
        shop().register("ann", "shop");
        var graph = catalog.open("ann", "test", "shop");
        graph.requireCurrent();
        GraphStoreCatalog.removeAllLoadedGraphs();
        shop().register("ann", "shop");
        assertThatThrownBy(graph::requireCurrent).isInstanceOf(GraphChanged.class);
    }

    /** Against a plain nested loop over a random graph with parallel relationships, two types, shuffled ids. */
    @Test
    void csrEqualsANaiveLoop() {
        var random = new Random(7);
        var projection = new Projections();
        var ids = new ArrayList<Long>();
        for (long id = 0; id < 60; id++) {
            ids.add(id * 3);
        }
        java.util.Collections.shuffle(ids, random);
        ids.forEach(id -> projection.node(id, id % 2 == 0 ? "A" : "B"));
        projection.type("T", "w");
        var rows = new ArrayList<double[]>();
        for (int r = 0; r < 900; r++) {
            var row = new double[] {ids.get(random.nextInt(60)), ids.get(random.nextInt(60)), random.nextInt(5)};
            rows.add(row);
            projection.relationship("T", (long) row[0], (long) row[1], row[2]);
        }
        projection.register("ann", "shop");
        var graph = open(List.of("A", "B"), List.of());
        for (var relation : graph.relations(List.of("T"), GUARD)) {
            var expected = rows.stream()
                .map(row -> new double[] {
                    graph.indexOf(relation.source(), (long) row[0]), graph.indexOf(relation.target(), (long) row[1]), row[2]})
                .filter(row -> row[0] >= 0 && row[1] >= 0)
                .sorted(Arrays::compare).toList();
            var csr = graph.csr(relation, List.of("w"), GUARD);
            assertThat(csr.targets()).hasSize(expected.size());
            int position = 0;
            for (int source = 0; source < csr.sourceCount(); source++) {
                for (; position < csr.offsets()[source + 1]; position++) {
                    assertThat(expected.get(position))
                        .containsExactly(source, csr.targets()[position], csr.properties()[0][position]);
                }
            }
        }
        assertThat(graph.relations(List.of(), GUARD)).hasSize(4);
    }
}
