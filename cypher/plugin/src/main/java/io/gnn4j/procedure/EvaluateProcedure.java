// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.embed.TaskGraph;
import io.gnn4j.evaluate.EvaluateConfig;
import io.gnn4j.evaluate.Evaluation;
import io.gnn4j.evaluate.Evaluation.Figure;
import io.gnn4j.evaluate.HeldOut;
import io.gnn4j.evaluate.Ranker;
import io.gnn4j.evaluate.WalkRanker;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** How well lists would have found what was held out. */
public class EvaluateProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.evaluate.stream", mode = Mode.READ)
    @Description("Ranks all items for the users of a projection by what is known of them, and streams how much of what was held out"
        + " is found: the model, popularity and the walk side by side, by the metrics of the Python side.")
    public Stream<FigureRow> stream(
            @Name(value = "graphName",
                description = "A projection of yours with the labels and types of the task, and its time property.") String graphName,
            @Name(value = "configuration", description = "{ truth :: MAP ({types, after, where, historyBefore}: held out is what is of"
                + " these behaviours (default: all), happened at or after this epoch millisecond, and has these relationship properties,"
                + " as {test: 1} or {rating: {gte: 4}}; users are known by what happened before historyBefore, default after),"
                + " model :: STRING (alias, or 'name:version'; default: the only alias), methods = ['vector', 'popularity', 'walk']"
                + " :: LIST<STRING>, task :: MAP (of popularity and walk where there is no model), k = [10, 20] :: LIST<INTEGER>,"
                + " metrics :: LIST<STRING> (recall, precision, ndcg, hit_rate, mrr, map, coverage, novelty; default: all),"
                + " slices = [] :: LIST<STRING> ('activity', or properties of the users), sampleUsers = 0 :: INTEGER (0: all),"
                + " randomSeed = 0 :: INTEGER, walk = {} :: MAP ({alpha: 0.7, beta: 0.3}),"
                + " concurrency = half the cores :: INTEGER (1 to 4) }")
            Map<String, Object> configuration) {
        var config = EvaluateConfig.parse(configuration);
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var model = config.task() == null ? call.model(config.model(), List.of()) : null;
            var task = model == null ? config.task() : Task.of(model.task());
            config.checkAgainst(task);
            var threads = new Parallel(gnn.services().helpers(), config.concurrency(), guard::check);
            var graph = TaskGraph.of(gnn.services().graphs().open(gnn.user(), gnn.databaseName(), graphName), task, guard::check);
            var rankers = model == null ? null : new ModelRankers(gnn, tx, call, model, task, threads);
            var bytes = HeldOut.bytes(graph.relationships(guard::check), graph.rows()) + graph.bytes(guard::check)
                + (rankers == null ? 0 : rankers.bytes(graph));
            var share = gnn.services().memory().reserve("the evaluation on", graphName, gnn.databaseName(), gnn.user(), bytes, () -> { });
            call.closing(share::close);
            if (config.methods().contains(RecommendConfig.VECTOR)) {
                rankers.requireJudgeable();
            }
            return measure(call, config, model, rankers, graphName, task, graph, threads).stream().map(FigureRow::new);
        }
    }

    private List<Figure> measure(
            AnswerCall call, EvaluateConfig config, ServedModel model, ModelRankers rankers, String graphName, Task task,
            TaskGraph graph, Parallel threads) {
        var data = HeldOut.split(graph, task, config.truth(), guard::check);
        var evaluation = new Evaluation(data, config, users(config, task, graph, data), guard::check);
        var figures = new ArrayList<Figure>();
        if (config.methods().contains(RecommendConfig.VECTOR)) {
            requireUnseen(model, data);
        }
        for (var method : config.methods()) {
            Ranker ranker = switch (method) {
                case RecommendConfig.VECTOR -> rankers.ranker(graphName, graph, config.truth(), data);
                case RecommendConfig.WALK -> new WalkRanker(data, config.alpha(), config.beta(), threads);
                default -> null;
            };
            figures.addAll(evaluation.measure(method, ranker,
                (user, property) -> call.graph().property(graph.graph().nodeId(task.to(), user), property)));
        }
        return figures;
    }

    /** Those with something to find, ascending; of a sample those with the smallest hash of seed and id. */
    private static int[] users(EvaluateConfig config, Task task, TaskGraph graph, HeldOut data) {
        var all = IntStream.range(0, data.truth().length).filter(user -> data.truth()[user].length > 0);
        if (config.sampleUsers() == 0) {
            return all.toArray();
        }
        return all.boxed()
            .sorted(Comparator.<Integer, Long>comparing(user -> shuffled(config.randomSeed(), graph.graph().nodeId(task.to(), user)),
                Long::compareUnsigned).thenComparing(user -> user))
            .limit(config.sampleUsers()).mapToInt(Integer::intValue).sorted().toArray();
    }

    /** Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators": the finisher of SplitMix64. */
    private static long shuffled(long seed, long id) {
        var mixed = (seed * 0x9E3779B97F4A7C15L ^ id) + 0x9E3779B97F4A7C15L;
        mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
        return mixed ^ mixed >>> 31;
    }

    /** A model that was trained on what it is asked for would be judged by its memory. */
    private static void requireUnseen(ServedModel model, HeldOut data) {
        var training = (Map<?, ?>) model.manifestMap().get("training");
        var advice = " Its figures would flatter. Train one that stops before with `gnn4j train --no-refit`, or leave 'vector' out of"
            + " `methods`.";
        if (!(training.get("cutoff") instanceof Long cutoff)) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has seen what is held out: its manifest has no"
                + " training cut-off, so it was trained on all interactions." + advice);
        }
        if (data.earliest() < cutoff) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has seen some of what is held out: it was trained on"
                + " everything before its cut-off, " + cutoff + " (" + Instant.ofEpochMilli(cutoff) + "), and "
                + (data.earliest() == Interactions.NO_TIME ? "interactions without a time are"
                    : "an interaction at " + data.earliest() + " (" + Instant.ofEpochMilli(data.earliest()) + ") is")
                + " held out." + advice);
        }
    }

    public record FigureRow(
        @Description("vector (the model), popularity or walk.") String method,
        @Description("all, activity=cold, activity=fewest, activity=most (the quarters of the users with the fewest and the most"
            + " known items), or a property of the users with its value.") String slice,
        @Description("recall, precision, ndcg, hit_rate, mrr, map, coverage, or novelty in bits.") String metric,
        @Description("How many ranks of each list count.") long k,
        @Description("The mean over the users of the slice, in [0, 1]; of novelty from 0.") double value,
        @Description("Users of the slice with something to find.") long users) {
        FigureRow(Figure figure) {
            this(figure.method(), figure.slice(), figure.metric(), figure.k(), figure.value(), figure.users());
        }
    }
}
