// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.config.ConfigMap;
import io.gnn4j.embed.SurroundingsEncoder;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Vectors of nodes as they are now, without a projection. */
public class EmbedNodesProcedure {
    private static final int CHUNK = 64;

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.embed.nodes", mode = Mode.READ)
    @Description("Streams the vectors of nodes from the live graph: a user's is computed from its relationships as this transaction"
        + " sees them, an item's is the one stored. A model that reads surroundings computes both.")
    public Stream<EmbeddingRow> nodes(
            @Name(value = "nodes", description = "A NODE or a LIST<NODE>: users and items of the model's task.") Object nodes,
            @Name(value = "configuration", defaultValue = "{}", description = "{ model :: STRING (alias, or 'name:version';"
                + " default: the only alias that fits), maxDegree = 10000 :: INTEGER (relationships read of a node) }")
            Map<String, Object> configuration) {
        var map = ConfigMap.of(configuration);
        var name = map.getString("model", null);
        var maxDegree = map.getInt("maxDegree", 10_000, 1, 1_000_000);
        map.check();
        var ids = AnswerCall.ids("nodes", nodes);
        if (ids.isEmpty()) {
            return Stream.empty();
        }
        var call = new AnswerCall(gnn, tx, guard);
        try {
            var model = call.model(name, call.graph().labels(ids.get(0)));
            if (Manifest.PADDED_BLOCKS.equals(model.contract())) {
                var encoder = call.surroundings(model, maxDegree, id -> null);
                return call.stream(new Rows(ids, chunk -> surroundings(call, model, encoder, chunk)));
            }
            var task = Task.of(model.task());
            var encoder = call.encoder(model, task, false, maxDegree);
            var items = call.table(model, task.recommend());
            return call.stream(new Rows(ids, chunk -> embed(call, task, encoder, items, maxDegree, chunk)));
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    /** Nodes of all labels alike, by a model that reads surroundings. */
    private static List<EmbeddingRow> surroundings(
            AnswerCall call, ServedModel model, SurroundingsEncoder encoder, List<Long> nodes) {
        for (var node : nodes) {
            if (encoder.label(node) == null) {
                throw new IllegalArgumentException("Node " + node + " has none of the labels that model '" + model.reference()
                    + "' embeds: " + String.join(", ", model.manifest().blocks().seeds()) + ".");
            }
        }
        return rows(call, nodes, encoder.encodeSources(nodes.stream().map(node -> new SourceEncoder.Source(node, null)).toList()));
    }

    /** Users by the model, items as they are stored. */
    private static List<EmbeddingRow> embed(
            AnswerCall call, Task task, SourceEncoder encoder, VectorTable items, int maxDegree, List<Long> nodes) {
        var vectors = new float[nodes.size()][];
        var histories = new ArrayList<SourceEncoder.Source>();
        var users = new ArrayList<Integer>();
        items.snapshot(); // fails when a stored vector cannot be used
        for (int i = 0; i < vectors.length; i++) {
            var id = nodes.get(i);
            if (call.graph().hasLabel(id, task.to())) {
                users.add(i);
                histories.add(new SourceEncoder.Source(id, encoder.read(call.graph(), task, id, maxDegree)));
            } else if (call.graph().hasLabel(id, task.recommend())) {
                vectors[i] = items.get(id);
            } else {
                throw new IllegalArgumentException("Node " + id + " is neither a `" + task.to() + "` nor a `"
                    + task.recommend() + "`, which are the labels of the task.");
            }
        }
        var queries = encoder.encodeSources(histories);
        IntStream.range(0, queries.length).forEach(i -> vectors[users.get(i)] = queries[i]);
        return rows(call, nodes, vectors);
    }

    private static List<EmbeddingRow> rows(AnswerCall call, List<Long> nodes, float[][] vectors) {
        return IntStream.range(0, vectors.length)
            .mapToObj(i -> new EmbeddingRow(call.graph().node(nodes.get(i)), list(vectors[i]))).toList();
    }

    private static List<Double> list(float[] vector) {
        return vector == null ? null
            : IntStream.range(0, vector.length).mapToObj(d -> (double) vector[d]).toList();
    }

    /** Chunk by chunk, so that nodes go through the model together. */
    private static final class Rows implements Iterator<EmbeddingRow> {
        private final List<Long> ids;
        private final Function<List<Long>, List<EmbeddingRow>> embed;
        private Iterator<EmbeddingRow> chunk = List.<EmbeddingRow>of().iterator();
        private int begun;

        Rows(List<Long> ids, Function<List<Long>, List<EmbeddingRow>> embed) {
            this.ids = ids;
            this.embed = embed;
        }

        @Override
        public boolean hasNext() {
            while (!chunk.hasNext() && begun < ids.size()) {
                var end = Math.min(ids.size(), begun + CHUNK);
                chunk = embed.apply(ids.subList(begun, end)).iterator();
                begun = end;
            }
            return chunk.hasNext();
        }

        @Override
        public EmbeddingRow next() {
            return chunk.next();
        }
    }

    public record EmbeddingRow(
        @Description("The node, in the order given.") Node node,
        @Description("Its vector; zeros for a user without history, null for an item that was not there at the last propagation.")
        List<Double> embedding) {}
}
