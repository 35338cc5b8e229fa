// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.pipeline.Candidate;
import io.gnn4j.pipeline.KnownModels;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/**
 * What a training takes, roughly: the export's records in the database, and where the worker projects itself, the
 * projection; in the trainer its program, the pairs and the model. What the trainer's constants come from is measured,
 * see docs/pipelines.md.
 *
 * @param parts bytes by what they are for, in the database
 */
public record TrainEstimate(long nodes, long relationships, Map<String, Object> parts, long trainerBytes) {
    /** Two records under way. */
    private static final long EXPORT = 8L << 20;
    /** Ids and labels of a projected node; target, weight and offset share of a projected relationship, both ways. */
    private static final long PROJECTED_NODE = 24;
    private static final long PROJECTED_RELATIONSHIP = 32;
    /** Python with PyTorch and what else a worker imports, before any data. */
    private static final long PROGRAM = 750L << 20;
    /** Compiled loops, and PyTorch's own buffers, of a model that is trained step by step. */
    private static final long STEPS = 300L << 20;
    /** A pair in the whole, in its parts, in matrices both ways, and in the lists that are compared. */
    private static final long TRAINED_RELATIONSHIP = 400;
    /** A float32 with its gradient, the two moments of the optimiser, and the place where it began. */
    private static final long TRAINED_NUMBER = 24;
    /** A score of a step, its exponential and its gradient. */
    private static final long STEP_NUMBER = 12;
    /** Of an item x item matrix that is inverted. */
    private static final long INVERTED_NUMBER = 32;

    /** What there is to learn from. @param nodes of all labels of the task */
    record Size(long nodes, long users, long items, long relationships) {}

    static TrainEstimate of(Size size, long nodes, boolean projected, List<Candidate> candidates) {
        var parts = new LinkedHashMap<String, Object>();
        parts.put("export", EXPORT);
        parts.put("projection", projected ? 0L : nodes * PROJECTED_NODE + size.relationships * PROJECTED_RELATIONSHIP);
        var model = candidates.stream().mapToLong(candidate -> model(candidate, size)).max().orElse(0);
        return new TrainEstimate(nodes, size.relationships, parts, PROGRAM + size.relationships * TRAINED_RELATIONSHIP + model);
    }

    private static long model(Candidate candidate, Size size) {
        if (candidate.model().equals("ease")) {
            var dense = Math.min(size.items, KnownModels.most(candidate, "denseItems").orElse(size.items));
            return dense * dense * INVERTED_NUMBER;
        }
        var tables = size.nodes * KnownModels.most(candidate, "dimension").orElse(0) * TRAINED_NUMBER;
        if (KnownModels.most(candidate, "epochs").isEmpty()) {
            return tables;
        }
        // As the trainer cuts an epoch: about 30 steps of 64 to 1,024 users, each scored against all items.
        var users = Math.min(Math.max(size.users / 30, 64), 1_024);
        return STEPS + tables + users * size.items * STEP_NUMBER;
    }

    /** Relationships are counted in the store. @param graph the projection, or null */
    public static TrainEstimate of(Transaction tx, TrainRequest request, ProjectedGraph graph) {
        var size = count(tx, request);
        return of(size, graph == null ? size.nodes : graph.nodeCount(), graph != null, request.candidates());
    }

    private static Size count(Transaction tx, TrainRequest request) {
        var kernel = ((InternalTransaction) tx).kernelTransaction();
        var labels = new LinkedHashSet<String>();
        labels.add(request.task().recommend());
        labels.add(request.task().to());
        labels.addAll(request.task().alsoLabels());
        ToLongFunction<String> count = label -> {
            var token = kernel.tokenRead().nodeLabel(label);
            return token < 0 ? 0 : kernel.dataRead().estimateCountsForNode(token);
        };
        var types = new LinkedHashSet<String>();
        request.task().via().values().forEach(behaviour -> types.add(behaviour.path().getLast()));
        types.addAll(request.task().alsoTypes());
        var relationships = types.stream().mapToInt(kernel.tokenRead()::relationshipType).filter(token -> token >= 0)
            .mapToLong(token -> kernel.dataRead().estimateCountsForRelationships(-1, token, -1)).sum();
        return new Size(labels.stream().mapToLong(count).sum(), count.applyAsLong(request.task().to()),
            count.applyAsLong(request.task().recommend()), relationships);
    }

    /** In the database. */
    public long bytes() {
        return parts.values().stream().mapToLong(part -> (long) part).sum();
    }
}
