// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.embed.LapClock;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.memory.MemorySize;
import io.gnn4j.neighbour.NodeRowsFile;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.RecommendWriteConfig;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.ListWriter.Row;
import io.gnn4j.writeback.ListWriter;
import io.gnn4j.writeback.OwnTransactions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Lists of many users, kept as relationships. */
public class RecommendWriteProcedure {
    private static final String WRITE = "gnn.recommend.write";
    private static final String CONFIGURATION = "{ users :: LIST<NODE> (default: all of the task), model :: STRING (alias, or"
        + " 'name:version'; default: the only alias), method = 'vector' :: STRING ('vector', 'walk', 'popularity' or 'blend'), task :: MAP"
        + " (where there is no model and no vector is compared), topK = 10 :: INTEGER (1 to 1000), relationshipType = 'RECOMMENDED' ::"
        + " STRING, since :: INTEGER (epoch milliseconds; users whose list of the same model and version was written then or later are"
        + " left alone: with the `at` of a call that was ended, the next one goes on with the rest), batchSize = 200 :: INTEGER"
        + " (users of one transaction), seen :: LIST<STRING> or MAP (behaviours whose items stay away, ['BUY'] or {BUY: 'P30D'};"
        + " default: the task's), blockedTypes = [] :: LIST<STRING> (items a user has such a relationship with stay away),"
        + " timeBudgetMillis = 0 :: INTEGER (of a batch)," + RecommendProcedure.WALK + RecommendProcedure.RERANK
        + RecommendProcedure.ORDER
        + RecommendProcedure.FILTERS + " }";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = WRITE, mode = Mode.WRITE)
    @Description("Writes the list of each user as (:User)-[:RECOMMENDED {rank, score, model, version, at}]->(:Item) in place of the list"
        + " before, in batches that commit on their own: each user's list changes at once, the whole is not atomic, safe to run again.")
    public Stream<WriteRow> write(
            @Name(value = "configuration", defaultValue = "{}", description = CONFIGURATION) Map<String, Object> configuration) {
        var clock = new LapClock();
        var config = RecommendWriteConfig.parse(configuration, AnswerCall::id);
        OwnTransactions.requireNoWrites(tx, WRITE);
        var at = System.currentTimeMillis();
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var lists = config.lists();
            var model = model(call, config);
            var task = model == null ? lists.task() : Task.of(model.task());
            RecommendWriteConfig.requireFree("relationshipType", config.relationshipType(), task);
            var reference = model == null ? null : model.reference();
            var writer = new ListWriter(config.relationshipType(), task.to(), model == null ? lists.method() : model.name(),
                model == null ? 0 : model.version(), at, config.since());
            var done = writer.run(gnn.database(), gnn.security(), users(config, task), config.batchSize(), lists.concurrency(),
                (own, users) -> lists(gnn, own, guard, lists, reference, users), guard::check);
            return Stream.of(new WriteRow(done.users(), done.written(), done.deleted(), done.kept(), done.missing(),
                writer.model(), writer.version(), at, done.committed(), done.failed(), done.firstError(),
                clock.lap()));
        }
    }

    @Procedure(name = "gnn.recommend.write.estimate", mode = Mode.READ)
    @Description("How much gnn.recommend.write would write, and the memory it takes: vectors that are not in memory yet, and the lists of"
        + " the batches at hand.")
    public Stream<EstimateRow> estimate(
            @Name(value = "configuration", defaultValue = "{}", description = CONFIGURATION) Map<String, Object> configuration) {
        var config = RecommendWriteConfig.parse(configuration, AnswerCall::id);
        try (var call = new AnswerCall(gnn, tx, guard)) {
            var model = model(call, config);
            var task = model == null ? config.lists().task() : Task.of(model.task());
            RecommendWriteConfig.requireFree("relationshipType", config.relationshipType(), task);
            var users = config.users() == null ? call.graph().count(task.to()) : config.users().length;
            var items = call.graph().count(task.recommend());
            var vectors = !config.lists().comparesVectors() ? 0
                : !model.manifest().hasVectors() ? NodeRowsFile.bytes(model.manifest())
                : VectorTable.bytes(items, model.dimension()) + VectorRows.bytes(items, model.dimension());
            var batches = (long) config.lists().concurrency() * Math.min(users, config.batchSize())
                * (1_000 + 300L * config.lists().topK());
            return Stream.of(new EstimateRow(users, Math.min(users * config.lists().topK(), users * items), batches + 8 * users,
                vectors + batches + 8 * users));
        }
    }

    private ServedModel model(AnswerCall call, RecommendWriteConfig config) {
        if (config.lists().comparesVectors()) {
            RecommendProcedure.requireNoTask(config.lists());
        }
        return config.lists().task() == null ? call.model(config.lists().model(), Set.of()) : null;
    }

    private long[] users(RecommendWriteConfig config, Task task) {
        if (config.users() != null) {
            return config.users();
        }
        try (var nodes = tx.findNodes(Label.label(task.to()))) {
            var ids = nodes.stream().peek(node -> guard.check()).mapToLong(LiveGraph::id).toArray();
            Arrays.sort(ids);
            return ids;
        }
    }

    /** In a transaction of the writer's own: what is read there is what is written there. */
    static List<Row> lists(
            GnnContext gnn, Transaction own, TerminationGuard guard, RecommendConfig config, String reference, List<Long> users) {
        try (var call = new AnswerCall(gnn, own, guard)) {
            var rows = new ArrayList<Row>();
            RecommendProcedure.answer(call, config, reference, Set.of(), users).forEachRemaining(row ->
                rows.add(new Row(row.source(), row.node(), row.rank(), row.score())));
            return rows;
        }
    }

    public record WriteRow(
        @Description("Users whose list was replaced; also those who have none now.") long users,
        @Description("Relationships made.") long relationshipsWritten,
        @Description("Relationships of the lists before, deleted.") long relationshipsDeleted,
        @Description("Users whose list was written since `since`, and left alone.") long usersKept,
        @Description("Users that were gone or had lost their label.") long skippedMissing,
        @Description("The model on the relationships; the method where there is no model.") String model,
        @Description("Its version; 0 where there is no model.") long version,
        @Description("When the call began, epoch milliseconds; on each relationship.") long at,
        @Description("Transactions that were committed.") long batchesCommitted,
        @Description("Transactions that failed after three more attempts; what was committed stays.") long batchesFailed,
        @Description("Why the first of them failed, null where none did.") String firstError,
        @Description("Milliseconds the call took.") long millis) {}

    public record EstimateRow(
        @Description("Users who would get a list.") long users,
        @Description("Relationships that would be made at most.") long relationships,
        @Description("The memory in words, where nothing is in memory yet.") String requiredMemory,
        @Description("The least it takes, in bytes: all vectors are in memory.") long bytesMin,
        @Description("The most it takes, in bytes.") long bytesMax) {
        EstimateRow(long users, long relationships, long bytesMin, long bytesMax) {
            this(users, relationships, MemorySize.words(bytesMax), bytesMin, bytesMax);
        }
    }
}
