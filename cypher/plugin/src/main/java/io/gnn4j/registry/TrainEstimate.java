// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.pipeline.Candidate;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/**
 * What a training takes, roughly: the export's records in the database, and where the worker projects itself, the
 * projection; matrices and vectors in the trainer.
 *
 * @param parts bytes by what they are for, in the database
 */
public record TrainEstimate(long nodes, long relationships, Map<String, Object> parts, long trainerBytes) {
    /** Two records under way. */
    private static final long EXPORT = 8L << 20;
    /** Ids and labels of a projected node; target, weight and offset share of a projected relationship, both ways. */
    private static final long PROJECTED_NODE = 24;
    private static final long PROJECTED_RELATIONSHIP = 32;
    /** Indices, value and time of a pair in the trainer, in the whole and in its parts, both ways. */
    private static final long TRAINED_RELATIONSHIP = 64;
    /** A float32 with its gradient and the two moments of the optimiser. */
    private static final long TRAINED_NUMBER = 16;
    private static final long STANDARD_DIMENSION = 64;

    static TrainEstimate of(long nodes, long relationships, boolean projected, List<Candidate> candidates) {
        var parts = new LinkedHashMap<String, Object>();
        parts.put("export", EXPORT);
        parts.put("projection", projected ? 0L : nodes * PROJECTED_NODE + relationships * PROJECTED_RELATIONSHIP);
        var dimension = candidates.stream().mapToLong(TrainEstimate::dimension).max().orElse(STANDARD_DIMENSION);
        return new TrainEstimate(nodes, relationships, parts,
            relationships * TRAINED_RELATIONSHIP + nodes * dimension * TRAINED_NUMBER);
    }

    /** Relationships are counted in the store. @param graph the projection, or null */
    public static TrainEstimate of(Transaction tx, TrainRequest request, ProjectedGraph graph) {
        var labels = new LinkedHashSet<String>();
        labels.add(request.task().recommend());
        labels.add(request.task().to());
        labels.addAll(request.task().alsoLabels());
        var counted = count(tx, request, List.copyOf(labels));
        return of(graph == null ? counted.nodes : graph.nodeCount(), counted.relationships, graph != null, request.candidates());
    }

    private record Counted(long nodes, long relationships) {}

    private static Counted count(Transaction tx, TrainRequest request, List<String> labels) {
        var kernel = ((InternalTransaction) tx).kernelTransaction();
        var nodes = labels.stream().mapToInt(kernel.tokenRead()::nodeLabel).filter(token -> token >= 0)
            .mapToLong(kernel.dataRead()::estimateCountsForNode).sum();
        var types = new LinkedHashSet<String>();
        request.task().via().values().forEach(behaviour -> types.add(behaviour.path().getLast()));
        types.addAll(request.task().alsoTypes());
        var relationships = types.stream().mapToInt(kernel.tokenRead()::relationshipType).filter(token -> token >= 0)
            .mapToLong(token -> kernel.dataRead().estimateCountsForRelationships(-1, token, -1)).sum();
        return new Counted(nodes, relationships);
    }

    private static long dimension(Candidate candidate) {
        return switch (candidate.config().get("dimension")) {
            case Number one -> one.longValue();
            case Map<?, ?> range when range.get("range") instanceof List<?> ends && ends.getLast() instanceof Number high ->
                high.longValue();
            case null, default -> STANDARD_DIMENSION;
        };
    }

    /** In the database. */
    public long bytes() {
        return parts.values().stream().mapToLong(part -> (long) part).sum();
    }
}
