// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.StoreNeighbours;
import io.gnn4j.memory.MemorySize;
import io.gnn4j.sample.GraphSample;
import io.gnn4j.sample.ProjectedNeighbours.Access;
import io.gnn4j.sample.SampleConfig;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Neighbourhoods around seeds. */
public class GraphSampleProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.graph.sample", mode = Mode.READ)
    @Description("Draws k-hop neighbourhoods of a GDS projection, or of the live store, as Arrow bytes: one record a batch of seeds.")
    public Stream<SampleRow> sample(
            @Name(value = "graphName", description = "A projection of yours, made by gds.graph.project; null with source 'store'.")
            String graphName,
            @Name(value = "configuration", description = SampleConfig.KEYS + JobAccess.KEYS) Map<String, Object> configuration) {
        var access = JobAccess.of(gnn, configuration, "gnn.graph.sample");
        var config = SampleConfig.parse(withIds(access.configuration()));
        if (config.store()) {
            if (graphName != null) {
                throw new IllegalArgumentException("`source` 'store' reads no projection, but `graphName` is '" + graphName
                    + "'. Give null, or leave `source` out.");
            }
            var live = new LiveGraph(tx);
            return GraphSample.stream(
                    plan -> new StoreNeighbours(live, plan, config.labelPriority(), config.maxDegree()), live::nodes, config, guard::check)
                .onClose(live::close).map(SampleRow::new);
        }
        return GraphSample.stream(access(access, graphName), config).map(SampleRow::new);
    }

    @Procedure(name = "gnn.graph.sample.estimate", mode = Mode.READ)
    @Description("What gnn.graph.sample would keep in memory for this projection and configuration.")
    public Stream<EstimateRow> estimate(
            @Name(value = "graphName", description = "A projection of yours, made by gds.graph.project.") String graphName,
            @Name(value = "configuration", description = SampleConfig.KEYS + JobAccess.KEYS) Map<String, Object> configuration) {
        var access = JobAccess.of(gnn, configuration, "gnn.graph.sample.estimate");
        var config = SampleConfig.parse(withIds(access.configuration()));
        if (config.store()) {
            throw new IllegalArgumentException("`source` 'store' keeps nothing in memory. Leave `source` out to estimate a projection.");
        }
        return Stream.of(new EstimateRow(GraphSample.estimate(access(access, graphName), config)));
    }

    private Access access(JobAccess access, String graphName) {
        if (graphName == null) {
            throw new IllegalArgumentException("`graphName` is null. Name a projection, or set `source` to 'store' and list `relations`.");
        }
        var services = gnn.services();
        var opened = access.open(tx, graphName);
        return new Access(services.graphCaches(), gnn.databaseName(), opened.owner(), opened.graph(), guard::check);
    }

    /** Nodes among the seeds become their ids. */
    private static Map<String, Object> withIds(Map<String, Object> configuration) {
        if (configuration == null || configuration.get("seeds") == null) {
            return configuration;
        }
        var replaced = new HashMap<>(configuration);
        replaced.compute("seeds", (key, seeds) -> switch (seeds) {
            case Node node -> List.of(LiveGraph.id(node));
            case List<?> list -> list.stream().map(seed -> seed instanceof Node node ? (Object) LiveGraph.id(node) : seed).toList();
            default -> seeds;
        });
        return replaced;
    }

    public record SampleRow(
        @Description("Number of the batch, from 0, in the order of the seeds.") long batch,
        @Description("Seeds in it.") long seeds,
        @Description("One complete Arrow IPC stream of one row; its columns are in docs/formats.md.") byte[] arrow) {
        SampleRow(GraphSample.Part part) {
            this(part.batch(), part.seeds(), part.arrow());
        }
    }

    public record EstimateRow(
        @Description("The memory in words.") String requiredMemory,
        @Description("Bytes by what they are for.") Map<String, Object> mapView,
        @Description("The least it takes, in bytes.") long bytesMin,
        @Description("The most it takes, in bytes: while the lists are built.") long bytesMax,
        @Description("Nodes of the projection.") long nodeCount,
        @Description("Relationships that lists are made from, in each direction.") long relationshipCount,
        @Description("bytesMin as a part of the heap, in [0, 1] where it fits.") double heapPercentageMin,
        @Description("bytesMax as a part of the heap, in [0, 1] where it fits.") double heapPercentageMax) {
        EstimateRow(GraphSample.Estimate estimate) {
            this(MemorySize.words(estimate.bytes()), estimate.parts(), estimate.bytes(),
                2 * estimate.bytes(), estimate.nodes(), estimate.relationships(), MemorySize.ofHeap(estimate.bytes()),
                MemorySize.ofHeap(2 * estimate.bytes()));
        }
    }
}
