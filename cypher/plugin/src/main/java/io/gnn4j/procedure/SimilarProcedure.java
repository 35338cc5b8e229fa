// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.Neighbours;
import io.gnn4j.recommend.RankedModel;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.Recommender;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.task.Task;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
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

/** Items like an item, users like a user. */
public class SimilarProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.similar.stream", mode = Mode.READ)
    @Description("Streams the `topK` nodes of the same label that are most like a node, best first.")
    public Stream<SimilarRow> stream(
            @Name(value = "node", description = "An item or a user of the model's task.") Node node,
            @Name(value = "configuration", defaultValue = "{}", description = "{ model :: STRING (alias, or 'name:version';"
                + " default: the only alias that fits), method = 'vector' :: STRING ('vector', 'walk' or 'blend'),"
                + " task :: MAP (where there is no model and no vector is compared), topK = 10 :: INTEGER (1 to 100000),"
                + " similarity = 'cosine' :: STRING ('cosine' or 'dot')," + RecommendProcedure.WALK + RecommendProcedure.ORDER
                + RecommendProcedure.FILTERS + " }")
            Map<String, Object> configuration) {
        var config = RecommendConfig.similar(configuration, AnswerCall::id);
        var source = AnswerCall.id("node", node);
        var call = new AnswerCall(gnn, tx, guard);
        try {
            var found = similar(call, config, source);
            return call.stream(rows(call, found));
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    private static List<Candidate> similar(AnswerCall call, RecommendConfig config, long source) {
        var graph = call.graph();
        if (config.comparesVectors()) {
            RecommendProcedure.requireNoTask(config);
        }
        var model = config.task() == null ? call.model(config.model(), graph.labels(source)) : null;
        var task = model == null ? config.task() : Task.of(model.task());
        var user = graph.hasLabel(source, task.to()) && !task.to().equals(task.recommend());
        if (!user && !graph.hasLabel(source, task.recommend())) {
            throw new IllegalArgumentException("Node " + source + " is neither a `" + task.to() + "` nor a `" + task.recommend()
                + "`, which are the labels of the task.");
        }
        if (user && config.blend() != null && config.blend().uses(RecommendConfig.POPULARITY)) {
            throw new IllegalArgumentException("`blend.popularity` counts the users of items; users have none. Leave it out.");
        }
        VectorModel vectors = null;
        float[] query = null;
        RankedModel ranked = null;
        if (config.comparesVectors() && !model.manifest().hasVectors()) {
            ranked = call.ranked(model, task, config);
        } else if (config.comparesVectors()) {
            var table = call.table(model, user ? task.to() : task.recommend());
            vectors = new VectorModel(null, table, config.cosine(), call.scan(config.concurrency()));
            query = user ? userVector(call, config, task, call.encoder(model, task, false, config.maxDegree()), source) : table.get(source);
            if (query == null || Recommender.isZero(query)) {
                throw new IllegalArgumentException("Node " + source + " has no vector in model '" + model.reference() + "'. "
                    + (user ? "A user gets one by interactions with items the model knows."
                        : "An item gets one from `CALL gnn.embed.propagate` or the next `gnn4j deploy`."));
            }
            if (table.size() == 0) {
                throw new IllegalArgumentException("Model '" + model.reference() + "' keeps no vectors of `" + task.to() + "` nodes, so"
                    + " they cannot be compared by it. Use `method: 'walk'`.");
            }
        }
        return new Neighbours(graph, task, config, vectors, ranked,
            call.itemVectors(config, model, user ? task.to() : task.recommend()), call.popularity(task),
            System::currentTimeMillis, call.guard()).of(source, user, query);
    }

    private static float[] userVector(
            AnswerCall call, RecommendConfig config, Task task, SourceEncoder encoder, long user) {
        var history = encoder.read(call.graph(), task, user, config.maxDegree());
        return encoder.encodeSources(List.of(new SourceEncoder.Source(user, history)))[0];
    }

    private static Iterator<SimilarRow> rows(AnswerCall call, List<Candidate> found) {
        var graph = call.graph();
        return IntStream.range(0, found.size()).mapToObj(i -> new SimilarRow(
            graph.node(found.get(i).id()), i + 1, found.get(i).score(), call.shown(found.get(i).scores()),
            found.get(i).origin())).iterator();
    }

    public record SimilarRow(
        @Description("The similar node; it has the same label.") Node node,
        @Description("Position in the list, from 1.") long rank,
        @Description("Cosine of the two vectors (in [-1, 1]) or their dot product (unbounded), as `similarity` says; the weight"
            + " between items where a model has no vectors; of a walk the probability of coming there,"
            + " popular items held back; of a blend the sum of `scores`.") double score,
        @Description("The partial scores by name: vector, or walk; of items by a walk also count, lift and supporters; of"
            + " a blend each source's part of the sum.") Map<String, Object> scores,
        @Description("How the row was found: exact (all vectors compared), walk or blend.") String origin) {}
}
