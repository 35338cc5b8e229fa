// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.embed.LapClock;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.memory.MemorySize;
import io.gnn4j.neighbour.NodeRowsFile;
import io.gnn4j.procedure.RecommendProcedure.RecommendRow;
import io.gnn4j.recommend.PredictConfig;
import io.gnn4j.recommend.PredictConfig.Output;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.RecommendWriteConfig;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.ListWriter;
import io.gnn4j.writeback.OwnTransactions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** {@code gnn.recommend} for every user of a model's task, in the modes of GDS. */
public class PipelinePredictProcedure {
    private static final String STREAM = "gnn.pipeline.predict.stream";
    private static final String MUTATE = "gnn.pipeline.predict.mutate";
    private static final String WRITE = "gnn.pipeline.predict.write";
    private static final String GRAPH = "A projection of yours: its nodes with the label of the task's users are answered, and only its"
        + " items come back. null: all that are stored. Seen items, history and filters are read from the store either way.";
    private static final String MUTATED = "A projection of yours, which gets the relationships: its nodes with the label of the task's"
        + " users are answered, and only its items come back.";
    private static final String KEYS = "{ modelName :: STRING, an alias ('shop') or a version ('shop:3'), topK = 10 :: INTEGER,"
        + " method = 'vector' :: STRING ('vector', 'walk', 'popularity' or 'blend'), seen :: LIST<STRING> or MAP (behaviours whose items"
        + " stay away, ['BUY'] or {BUY: 'P30D'}; default: the task's), blockedTypes = [] :: LIST<STRING> (items a user has such a"
        + " relationship with stay away), timeBudgetMillis = 0 :: INTEGER (after which re-ranking and blending are left out; 0: never),"
        + RecommendProcedure.WALK + RecommendProcedure.RERANK + RecommendProcedure.ORDER + RecommendProcedure.FILTERS;
    private static final String STREAM_KEYS = KEYS + " }";
    private static final String MUTATE_KEYS = KEYS + ", mutateRelationshipType :: STRING (from the user to the item),"
        + " mutateProperty = 'score' :: STRING }";
    private static final String WRITE_KEYS = KEYS + ", writeRelationshipType = 'RECOMMENDED' :: STRING, since :: INTEGER (epoch"
        + " milliseconds; users whose list of the same model and version was written then or later are left alone),"
        + " batchSize = 200 :: INTEGER (users of one transaction) }";
    /** Bytes that GDS takes for one relationship while it is made: source and target before they are packed, and a number. */
    private static final long RELATIONSHIP = 24;

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = STREAM, mode = Mode.READ)
    @Description("Streams the `topK` best items of every user, as gnn.recommend.stream does for one, users by ascending Neo4j id.")
    public Stream<RecommendRow> stream(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = STREAM_KEYS) Map<String, Object> configuration) {
        var config = PredictConfig.parse(configuration, Output.STREAM, AnswerCall::id);
        var call = new AnswerCall(gnn, tx, guard);
        try {
            var asked = ask(call, config, open(graphName));
            return call.stream(RecommendProcedure.rows(
                call, RecommendProcedure.answer(call, asked.lists(), asked.reference(), Set.of(), asked.users())));
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    @Procedure(name = MUTATE, mode = Mode.READ)
    @Description("Adds the `topK` best items of every user to a projection, as relationships with their score; the database is not"
        + " changed.")
    public Stream<MutateRow> mutate(
            @Name(value = "graphName", description = MUTATED) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = MUTATE_KEYS) Map<String, Object> configuration) {
        var clock = new LapClock();
        var config = PredictConfig.parse(configuration, Output.MUTATE, AnswerCall::id);
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var projection = open(required(graphName));
            var draft = projection.relationships(config.relationshipType(), config.property());
            var asked = ask(call, config, projection);
            call.closing(gnn.services().memory().reserve("the predictions in", graphName, gnn.databaseName(), gnn.user(),
                RELATIONSHIP * asked.relationships(), () -> { })::close);
            var progress = progress(MUTATE, asked.users().size());
            RecommendProcedure.answer(call, asked.lists(), asked.reference(), Set.of(), asked.users()).forEachRemaining(row -> {
                if (row.rank() == 1) {
                    progress.accept(row.source());
                }
                draft.add(row.source(), row.node(), row.score());
            });
            projection.requireCurrent();
            var written = draft.publish();
            return Stream.of(new MutateRow(
                asked.users().size(), written, clock.lap(), config.toMap(graphName, asked.reference())));
        }
    }

    @Procedure(name = WRITE, mode = Mode.WRITE)
    @Description("Writes the list of every user as (:User)-[:RECOMMENDED {rank, score, model, version, at}]->(:Item) in place of the list"
        + " before, in batches that commit on their own, as gnn.recommend.write does: not atomic, safe to run again.")
    public Stream<WriteRow> write(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = WRITE_KEYS) Map<String, Object> configuration) {
        var clock = new LapClock();
        var config = PredictConfig.parse(configuration, Output.WRITE, AnswerCall::id);
        OwnTransactions.requireNoWrites(tx, WRITE);
        var at = System.currentTimeMillis();
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var asked = ask(call, config, open(graphName));
            RecommendWriteConfig.requireFree("writeRelationshipType", config.relationshipType(), asked.task());
            var model = asked.model();
            var writer = new ListWriter(
                config.relationshipType(), asked.task().to(), model.name(), model.version(), at, config.since());
            var users = asked.users().stream().mapToLong(id -> id).toArray();
            var done = writer.run(gnn.database(), gnn.security(), users, config.batchSize(), asked.lists().concurrency(),
                (own, some) -> RecommendWriteProcedure.lists(gnn, own, guard, asked.lists(), asked.reference(), some), guard::check);
            return Stream.of(new WriteRow(done.users(), done.written(), done.deleted(), done.kept(), done.missing(), model.name(),
                model.version(), at, done.committed(), done.failed(), done.firstError(), clock.lap(),
                config.toMap(graphName, asked.reference())));
        }
    }

    @Procedure(name = "gnn.pipeline.predict.stream.estimate", mode = Mode.READ)
    @Description("The memory that gnn.pipeline.predict.stream takes, and how much it answers.")
    public Stream<EstimateRow> streamEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = STREAM_KEYS) Map<String, Object> configuration) {
        return estimate(open(graphName), configuration, Output.STREAM);
    }

    @Procedure(name = "gnn.pipeline.predict.mutate.estimate", mode = Mode.READ)
    @Description("The memory that gnn.pipeline.predict.mutate takes, the relationships included, which stay in the projection.")
    public Stream<EstimateRow> mutateEstimate(
            @Name(value = "graphName", description = MUTATED) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = MUTATE_KEYS) Map<String, Object> configuration) {
        return estimate(open(required(graphName)), configuration, Output.MUTATE);
    }

    @Procedure(name = "gnn.pipeline.predict.write.estimate", mode = Mode.READ)
    @Description("The memory that gnn.pipeline.predict.write takes, and how much it would write.")
    public Stream<EstimateRow> writeEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = WRITE_KEYS) Map<String, Object> configuration) {
        return estimate(open(graphName), configuration, Output.WRITE);
    }

    private Stream<EstimateRow> estimate(ProjectedGraph projection, Map<String, Object> configuration, Output output) {
        var config = PredictConfig.parse(configuration, output, AnswerCall::id);
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var asked = ask(call, config, projection);
            var model = asked.model();
            var items = call.graph().count(asked.task().recommend());
            var parts = new LinkedHashMap<String, Object>();
            parts.put("vectors", !asked.lists().comparesVectors() ? 0L
                : !model.manifest().hasVectors() ? NodeRowsFile.bytes(model.manifest())
                : VectorTable.bytes(items, model.dimension()) + VectorRows.bytes(items, model.dimension()));
            var together = output == Output.WRITE ? (long) asked.lists().concurrency() * config.batchSize() : 64;
            parts.put("lists",
                Math.min(asked.users().size(), together) * (1_000 + 300L * asked.lists().topK()) + 24L * asked.users().size());
            parts.put("relationships", output == Output.MUTATE ? RELATIONSHIP * asked.relationships() : 0L);
            return Stream.of(new EstimateRow(parts, asked.users().size(), asked.relationships()));
        }
    }

    /** null where all that is stored is meant. */
    private ProjectedGraph open(String graphName) {
        return graphName == null ? null : gnn.services().graphs().open(gnn.user(), gnn.databaseName(), graphName);
    }

    private static String required(String graphName) {
        if (graphName == null) {
            throw new IllegalArgumentException("`graphName` is null, but predictions are added to a projection. Name one of yours, or keep"
                + " the lists in the database with gnn.pipeline.predict.write(null, …).");
        }
        return graphName;
    }

    /**
     * What is answered.
     *
     * @param users ascending
     * @param relationships at most
     */
    private record Asked(ServedModel model, Task task, RecommendConfig lists, List<Long> users, long relationships) {
        /** The version that answers to the end of the call, wherever the alias goes. */
        String reference() {
            return model.reference();
        }
    }

    private Asked ask(AnswerCall call, PredictConfig config, ProjectedGraph projection) {
        var model = model(call, config.lists().model());
        var task = Task.of(model.task());
        var lists = config.lists();
        LongStream users;
        var items = call.graph().count(task.recommend());
        if (projection == null) {
            users = stored(task.to());
        } else {
            requireLabels(projection, task, model);
            var typed = projection.typed(List.of(task.to()), List.of(), guard::check);
            users = IntStream.range(0, typed.nodeCount(task.to())).mapToLong(index -> typed.nodeId(task.to(), index))
                .filter(id -> call.graph().hasLabel(id, task.to()));
            var projected = projection.typed(List.of(task.recommend()), List.of(), guard::check);
            if (stored(task.recommend()).anyMatch(id -> projected.indexOf(task.recommend(), id) < 0)) {
                var named = lists.candidates() == null ? IntStream.range(0, projected.nodeCount(task.recommend()))
                        .mapToLong(index -> projected.nodeId(task.recommend(), index))
                    : Arrays.stream(lists.candidates()).filter(id -> projected.indexOf(task.recommend(), id) >= 0);
                lists = lists.among(named.toArray());
                items = lists.candidates().length;
            }
        }
        var ids = users.peek(id -> guard.check()).sorted().boxed().toList();
        return new Asked(model, task, lists, ids, ids.size() * Math.min(items, lists.topK()));
    }

    /** @throws IllegalArgumentException when there is none; where a job of the caller makes it, with how far that is */
    private ServedModel model(AnswerCall call, String name) {
        try {
            return call.model(name, Set.of());
        } catch (IllegalArgumentException unknown) {
            var job = gnn.services().jobs().list(tx, gnn.user()).stream()
                .filter(one -> one.modelName() != null && one.modelName().equals(name) && !one.status().isOver()).findFirst();
            // Without a cause: Neo4j shows the innermost sentence alone.
            throw job.map(one -> new IllegalArgumentException(unknown.getMessage() + " Job '" + one.id() + "' of yours is to make it,"
                + " and is " + one.status() + ", " + Math.round(100 * one.progress()) + " %: ask again when it is FINISHED."
                + " CALL gnn.job.show('" + one.id() + "') shows how it goes.")).orElse(unknown);
        }
    }

    private LongStream stored(String label) {
        try (var nodes = tx.findNodes(Label.label(label))) {
            return Arrays.stream(nodes.stream().peek(node -> guard.check()).mapToLong(LiveGraph::id).toArray());
        }
    }

    private static void requireLabels(ProjectedGraph projection, Task task, ServedModel model) {
        var known = projection.labels();
        var missing = Stream.of(task.to(), task.recommend()).distinct().filter(label -> !known.contains(label)).map(label ->
            "Graph `" + projection.name() + "` has no nodes of label '" + label + "', which the task of model '" + model.reference()
                + "' names." + Suggestion.sentence(label, known) + " Its labels: " + String.join(", ", known)
                + ". Project the labels and types of the task, or give null as graphName for all that is stored.").toList();
        if (!missing.isEmpty()) {
            throw new InvalidConfiguration(missing);
        }
    }

    private Consumer<Long> progress(String procedure, int users) {
        var status = ((InternalTransaction) tx).kernelTransaction();
        var done = new int[1];
        return user -> {
            if (done[0]++ % 500 == 0) {
                status.setStatusDetails(procedure + ": " + (done[0] - 1) + " of " + users + " users");
            }
        };
    }

    public record MutateRow(
        @Description("Users who were answered.") long users,
        @Description("Relationships that the projection got.") long relationshipsWritten,
        @Description("Milliseconds the call took.") long millis,
        @Description("The configuration with its defaults; the model by its version.") Map<String, Object> configuration) {}

    public record WriteRow(
        @Description("Users whose list was replaced; also those who have none now.") long users,
        @Description("Relationships made.") long relationshipsWritten,
        @Description("Relationships of the lists before.") long relationshipsDeleted,
        @Description("Users left alone, since their list is new enough (`since`).") long usersKept,
        @Description("Users that were gone, or had lost their label.") long skippedMissing,
        @Description("Name of the model.") String model,
        @Description("Its version.") long version,
        @Description("Epoch milliseconds on the relationships; give it as `since` to go on after an end before time.") long at,
        @Description("Transactions committed; each stays whatever becomes of this one.") long batchesCommitted,
        @Description("Transactions that failed after three more attempts.") long batchesFailed,
        @Description("Why the first of them failed, null where none did.") String firstError,
        @Description("Milliseconds the call took.") long millis,
        @Description("The configuration with its defaults; the model by its version.") Map<String, Object> configuration) {}

    public record EstimateRow(
        @Description("The memory in words, where nothing is in memory yet.") String requiredMemory,
        @Description("Bytes by what they are for.") Map<String, Object> mapView,
        @Description("The least it takes, in bytes: all vectors are in memory.") long bytesMin,
        @Description("The most it takes, in bytes.") long bytesMax,
        @Description("Users who would be answered.") long nodeCount,
        @Description("Rows or relationships that would be made at most.") long relationshipCount,
        @Description("bytesMin as a part of the heap, in [0, 1] where it fits.") double heapPercentageMin,
        @Description("bytesMax as a part of the heap, in [0, 1] where it fits.") double heapPercentageMax) {
        EstimateRow(Map<String, Object> parts, long users, long relationships) {
            this(parts, parts.values().stream().mapToLong(Long.class::cast).sum(), users, relationships);
        }

        private EstimateRow(Map<String, Object> parts, long most, long users, long relationships) {
            this(MemorySize.words(most), parts, most - (long) parts.get("vectors"), most, users, relationships,
                MemorySize.ofHeap(most - (long) parts.get("vectors")), MemorySize.ofHeap(most));
        }
    }
}
