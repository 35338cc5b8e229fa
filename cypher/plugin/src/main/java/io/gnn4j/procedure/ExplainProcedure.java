// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.explain.Contributions;
import io.gnn4j.explain.ExplainConfig;
import io.gnn4j.explain.ReasonSearch;
import io.gnn4j.explain.Trail;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.LivePath;
import io.gnn4j.graph.LiveSurroundings;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.ItemWeights;
import io.gnn4j.recommend.QueryEncoder;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Path;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Why a source gets an item. */
public class ExplainProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.explain.stream", mode = Mode.READ)
    @Description("Streams what the score of a pair is made of: one row an item of the source's history, the largest contribution"
        + " first, each with a path of the graph that ties both together. The contributions add up to the score.")
    public Stream<ExplainRow> stream(
            @Name(value = "source", description = "A user (or an item) of the model's task.") Node source,
            @Name(value = "target", description = "The item whose score is explained; it has a vector.") Node target,
            @Name(value = "configuration", defaultValue = "{}", description = "{ model :: STRING (alias, or 'name:version';"
                + " default: the only alias that fits), template :: STRING ('Because you bought {via.title}'; nodes are source, via,"
                + " shared and target), types :: LIST<STRING> (relationship types that may tie two items together; default: all but"
                + " GNN_* and RECOMMENDED), maxDegree = 10000 :: INTEGER (relationships read of the source; a type of which another"
                + " node has more is passed over there) }")
            Map<String, Object> configuration) {
        var config = ExplainConfig.parse(configuration);
        var from = AnswerCall.id("source", source);
        var to = AnswerCall.id("target", target);
        var call = new AnswerCall(gnn, tx, guard);
        try {
            if (config.template() != null) {
                config.template().requireKnown(call.graph().propertyKeys());
            }
            var model = call.model(config.model(), call.graph().labels(from));
            return call.stream(new Rows(call, tx, config, model, from, to).iterator());
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    /** Contributions at once, each path when its row is asked for. */
    private static final class Rows {
        private final AnswerCall call;
        private final Transaction tx;
        private final ExplainConfig config;
        private final ServedModel model;
        private final Task task;
        private final long source;
        private final long target;
        private Double score;

        Rows(AnswerCall call, Transaction tx, ExplainConfig config, ServedModel model, long source, long target) {
            this.call = call;
            this.tx = tx;
            this.config = config;
            this.model = model;
            this.source = source;
            this.target = target;
            task = Task.of(model.task());
        }

        Iterator<ExplainRow> iterator() {
            var graph = call.graph();
            if (!graph.hasLabel(target, task.recommend())) {
                throw new IllegalArgumentException("Node " + target + " is no `" + task.recommend() + "`, which is what the model '"
                    + model.reference() + "' recommends.");
            }
            var user = graph.hasLabel(source, task.to());
            if (!user && !graph.hasLabel(source, task.recommend())) {
                throw new IllegalArgumentException("Node " + source + " is neither a `" + task.to() + "` nor a `" + task.recommend()
                    + "`, which are the labels of the task.");
            }
            var contributions = switch (model.contract()) {
                case Manifest.ITEM_WEIGHTS -> byWeights((ItemWeights) call.ranked(model, task, null), user);
                case Manifest.PADDED_BLOCKS -> bySurroundings(user);
                default -> byVectors(call.propagation(model, task), user);
            };
            var rest = score == null ? Stream.<ExplainRow>empty()
                : Stream.of(new ExplainRow(null, score - DoubleStream.of(contributions.values()).sum(), null));
            if (contributions.items().length == 0) {
                return rest.iterator();
            }
            var around = call.closing(new LiveSurroundings(tx, task, config.types(), config.maxDegree()));
            var touched = user
                ? around.touched(source, task.via().values(), LongHashSet.newSetWith(contributions.items()))
                : LongObjectHashMap.newWithKeysValues(source, Trail.at(source));
            var search = new ReasonSearch(around, target, call.guard());
            return Stream.concat(IntStream.range(0, contributions.items().length).mapToObj(i -> row(
                search.through(touched.getIfAbsent(contributions.items()[i], () -> Trail.at(source))), contributions.items()[i],
                contributions.values()[i])), rest).iterator();
        }

        private Contributions byWeights(ItemWeights weights, boolean user) {
            var parts = weights.parts(user ? weights.read(call.graph(), task, source, config.maxDegree()) : itself(), target);
            if (parts == null) {
                throw unknown("is not in model '" + model.reference() + "'", "An item gets there by training and `gnn4j deploy`.");
            }
            return Contributions.of(parts);
        }

        private Contributions byVectors(QueryEncoder encoder, boolean user) {
            var vector = targetVector();
            var history = user ? encoder.read(call.graph(), task, source, config.maxDegree()) : itself();
            return history.degree() == 0 ? new Contributions(new long[0], new double[0])
                : Contributions.of(encoder.parts(history), vector, model.similarity().equals("cosine"));
        }

        /** Every item is left out by itself, and the rest of the score stays. */
        private Contributions bySurroundings(boolean user) {
            var vector = targetVector();
            var cosine = model.similarity().equals("cosine");
            var encoder = call.surroundings(model, config.maxDegree(), call.table(model, task.recommend())::get);
            var history = user ? encoder.read(call.graph(), task, source, config.maxDegree()) : Interactions.none();
            score = Contributions.score(
                encoder.encodeSources(List.of(new SourceEncoder.Source(source, history)))[0], vector, cosine);
            var label = encoder.label(source);
            if (label == null) {
                return new Contributions(new long[0], new double[0]);
            }
            var without = call.leavingOut(model, task, source, label, config.maxDegree());
            return Contributions.leavingOut(history.ids(), score,
                item -> Contributions.score(without.vector(item), vector, cosine), without.drawn()::contains, call.guard());
        }

        private float[] targetVector() {
            var table = call.table(model, task.recommend());
            table.snapshot(); // fails when a stored vector cannot be used
            var vector = table.get(target);
            if (vector == null) {
                throw unknown("has no vector in model '" + model.reference() + "'",
                    "An item gets a vector from `CALL gnn.embed.propagate` or the next `gnn4j deploy`.");
            }
            return vector;
        }

        private Interactions itself() {
            return Interactions.of(new long[] {source}, task.largestWeight());
        }

        private IllegalArgumentException unknown(String what, String advice) {
            return new IllegalArgumentException("Node " + target + " " + what + ", so it has no score to explain; explain rows whose"
                + " `origin` is 'exact'. " + advice);
        }

        private ExplainRow row(Trail trail, long via, double contribution) {
            return new ExplainRow(new LivePath(tx, trail), contribution, config.template() == null ? null : text(trail, via));
        }

        private String text(Trail trail, long via) {
            var nodes = trail.nodes();
            var shared = nodes.size() < 2 ? via : nodes.get(nodes.size() - 2);
            return config.template().fill((node, property) -> switch (node) {
                case "source" -> call.graph().property(source, property);
                case "via" -> call.graph().property(via, property);
                case "target" -> trail.last() == target ? call.graph().property(target, property) : null;
                default -> trail.last() == target && nodes.indexOf(shared) > nodes.indexOf(via)
                    ? call.graph().property(shared, property) : null;
            });
        }
    }

    public record ExplainRow(
        @Description("From the source over an item of its history to the target: the shortest one, of equally long ones the one"
            + " whose nodes in between have the fewest relationships; at most 4 relationships. It ends at the item of the history"
            + " where none is that short. Null in the last row of a padded-blocks/1 model, which holds the rest.") Path path,
        @Description("What the item of the history adds to the score (of a padded-blocks/1 model: what the score falls by without"
            + " it); may be negative. The column adds up to the `score` of gnn.recommend.stream.") double contribution,
        @Description("The template filled in for this path; null without one, or where the path lacks what it names.") String text) {}
}
