// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.recommend.Deadline;
import io.gnn4j.recommend.ModelParts;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.RankedModel;
import io.gnn4j.recommend.RecommendCall;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.Recommender;
import io.gnn4j.recommend.Recommender.Recommendation;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Lists of items for users, items and visitors. */
public class RecommendProcedure {
    static final String FILTERS = " candidates :: LIST<NODE> (only these may come back), exclude = [] :: LIST<NODE>,"
        + " filter = {} :: MAP ({price: {gte: 10, lt: 50}, brand: ['A', 'B'], inStock: true, label: 'Book',"
        + " related: {type, direction = 'any', node}}, all must hold), maxPer = {} :: MAP ({brand: 2}: at most two rows a brand; a list"
        + " counts for each entry, and an item without a value is not limited),"
        + " concurrency = half the cores :: INTEGER (1 to 4), maxDegree = 10000 :: INTEGER (relationships read of a node)";

    static final String WALK = " walk = {} :: MAP ({alpha: 0.7, beta: 0.3, weights: 'share', limit: 200000}: exponent of the"
        + " probabilities, one or three for the steps; discount of popular items; 'share' of the sum of weights or of the 'count' of"
        + " neighbours; relationships read by one step),";

    static final String RERANK = " rerank :: MAP ({model: 'ctr', topN: 100}: a model of pair/1 or sequence/1 that orders the best anew),";

    static final String ORDER = " blend :: MAP ({vector: 1.0, walk: {weight: 0.3, scale: 'log', floor: 0.001}, popularity: -0.1,"
        + " recency: {weight: 0.2, property: 'publishedAt', halfLife: 'P30D'}, boosts: {sale: {weight: 0.1, filter: {onSale: true}}}}:"
        + " sources that are added up; scale = 'max' divides by the best score of the source, 'log' takes the logarithm of that and"
        + " floor, 'unit' (vector) divides by the length of the source's vector, 'none' leaves it),"
        + " diversity :: MAP ({weight: 0.3, pool: 100}: 0 to 1, how much likeness to the rows before counts against an item),"
        + " exploration :: MAP ({temperature: 0.1, seed: 0, pool: 100}: noise, so that other items are tried),";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.recommend.stream", mode = Mode.READ)
    @Description("Streams the `topK` best items for each source, best first, without those it has seen. Seen items, filters and"
        + " history are read in this transaction.")
    public Stream<RecommendRow> stream(
            @Name(value = "sources", description = "A NODE, a LIST<NODE> (each is answered by itself), or null for a visitor, whose"
                + " items are given as `history` and `context`.") Object sources,
            @Name(value = "configuration", defaultValue = "{}", description = "{ model :: STRING (alias, or 'name:version';"
                + " default: the only alias that fits), method = 'vector' :: STRING ('vector': by the vectors, weights,"
                + " lists or blend of the model; 'walk', 'popularity' or 'blend'), task :: MAP (where there is no model and no"
                + " vector is compared), topK = 10 :: INTEGER (1 to 100000),"
                + " history = [] :: LIST<NODE> (of a visitor, oldest first), context = [] :: LIST<NODE> (items looked at now),"
                + " seen :: LIST<STRING> or MAP (behaviours whose items stay away, ['BUY'] or {BUY: 'P30D'}; default: the task's; []"
                + " lets a visitor's history come back, too),"
                + " blockedTypes = [] :: LIST<STRING> (items the source has such a relationship with stay away),"
                + " timeBudgetMillis = 0 :: INTEGER (after which re-ranking and blending are left out; 0: never)," + WALK + RERANK + ORDER
                + FILTERS + " }")
            Map<String, Object> configuration) {
        var config = RecommendConfig.recommend(configuration, AnswerCall::id, sources != null);
        var ids = sources == null ? Collections.<Long>singletonList(null) : AnswerCall.ids("sources", sources);
        if (ids.isEmpty()) {
            return Stream.empty();
        }
        var call = new AnswerCall(gnn, tx, guard);
        try {
            return call.stream(rows(call, answer(call, config, config.model(), labels(call, config, ids), ids)));
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    /** @param reference what model is meant; @param labels what it is chosen by where that is null */
    static Iterator<Recommendation> answer(
            AnswerCall call, RecommendConfig config, String reference, Set<String> labels, List<Long> ids) {
        var deadline = new Deadline(config.timeBudgetMillis(), System::nanoTime);
        var task = config.task();
        ServedModel model = null;
        VectorModel vectors = null;
        if (config.comparesVectors()) {
            requireNoTask(config);
        }
        if (task == null) {
            model = call.model(reference, labels);
            task = Task.of(model.task());
        }
        var asked = model == null ? config : config.servedBy(model.manifest().blend());
        RankedModel ranked = null;
        if (asked.comparesVectors() && !model.manifest().hasVectors()) {
            ranked = call.ranked(model, task, asked);
        } else if (asked.comparesVectors()) {
            vectors = new VectorModel(
                call.encoder(model, task, asked.context().length > 0, asked.maxDegree()), call.table(model, task.recommend()),
                model.similarity().equals("cosine"), call.scan(asked.concurrency()));
        }
        var parts = new ModelParts(
            vectors, ranked, call.reranker(asked, task), call.itemVectors(asked, model, task.recommend()));
        var lists = new RecommendCall(call.graph(), task, asked, System::currentTimeMillis, deadline, call.guard());
        var rows = new Recommender(lists, parts, call.popularity(task)).recommend(ids);
        return vectors != null && Manifest.ITEM_PROPAGATION.equals(model.contract()) && model.propagation().finished()
            ? toldCold(rows, call.graph(), model.contextProperty()) : rows;
    }

    /** An item that the model has not met has a vector by its users, but nothing that users are made of. */
    private static Iterator<Recommendation> toldCold(Iterator<Recommendation> rows, LiveGraph graph, String context) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return rows.hasNext();
            }

            @Override
            public Recommendation next() {
                var row = rows.next();
                return row.origin().equals("exact") && graph.property(row.node(), context) == null
                    ? new Recommendation(row.source(), row.node(), row.rank(), row.score(), row.scores(), "cold") : row;
            }
        };
    }

    static void requireNoTask(RecommendConfig config) {
        if (config.task() != null) {
            throw new IllegalArgumentException("`task` is for the methods 'walk' and 'popularity' and for a blend without vectors; with"
                + " vectors the task of the model holds. Leave `task` out, or set `method`.");
        }
    }

    /** What the model is chosen by where none is named. */
    private static Set<String> labels(AnswerCall call, RecommendConfig config, List<Long> ids) {
        if (ids.get(0) != null) {
            return call.graph().labels(ids.get(0));
        }
        for (var items : List.of(config.history(), config.context())) {
            if (items.length > 0) {
                return call.graph().labels(items[0]);
            }
        }
        return Set.of();
    }

    static Iterator<RecommendRow> rows(AnswerCall call, Iterator<Recommendation> recommendations) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return recommendations.hasNext();
            }

            @Override
            public RecommendRow next() {
                var row = recommendations.next();
                var source = row.source() == null ? null : call.graph().node(row.source());
                return new RecommendRow(
                    source, call.graph().node(row.node()), row.rank(), row.score(), call.shown(row.scores()), row.origin());
            }
        };
    }

    public record RecommendRow(
        @Description("The source this row answers; null for a visitor.") Node source,
        @Description("The recommended node.") Node node,
        @Description("Position in the list of its source, from 1.") long rank,
        @Description("What the rows of one origin are ordered by: a dot product (unbounded) or cosine (in [-1, 1]) as the model's"
            + " `similarity` says, the sum of weights or the score in a list, the probability of a walk with popular items held back,"
            + " the number of users who touched the"
            + " item (from 0), the sum of a blend, or what `diversity` and `exploration` make of it (about 0 to 1). Not"
            + " comparable across origins.") double score,
        @Description("The partial scores by name: vector, walk, popularity; with an item as source of a walk"
            + " also count (users met who touched both), lift (above 1: more often than by chance) and supporters (some of them);"
            + " weights or list where a model has no vectors; of a blend each source's part of the sum, also recency and boosts;"
            + " relevance, exploration and diversity where asked for; rerank of the second stage.")
        Map<String, Object> scores,
        @Description("How the row was found: exact (all vectors compared, or all weights added up), cold (the same, by a vector made of"
            + " the history, or to an item whose vector is made of its users), list (of the model), walk, blend, rerank (by the"
            + " second stage), partial (the time budget was over: without it, or by vectors alone), or popularity (last, where others"
            + " were too few).")
        String origin) {}
}
