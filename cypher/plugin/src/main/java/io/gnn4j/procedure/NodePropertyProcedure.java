// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.writeback.BatchedWrite;
import io.gnn4j.writeback.NodePropertyMutateConfig;
import io.gnn4j.writeback.NodePropertyWriteConfig;
import io.gnn4j.writeback.NodePropertyWriter;
import io.gnn4j.writeback.OwnTransactions;
import io.gnn4j.writeback.ProjectionMutation;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** The way back: Arrow columns into a projection or onto stored nodes. */
public class NodePropertyProcedure {
    private static final String WRITE = "gnn.nodeProperty.write";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.nodeProperty.mutate", mode = Mode.READ)
    @Description("Adds node properties to a GDS projection from Arrow columns; the database is not changed.")
    public Stream<MutateRow> mutate(
            @Name(value = "graphName", description = "A projection of yours, made by gds.graph.project.") String graphName,
            @Name(value = "configuration", description = "{ arrow :: BYTES | LIST<BYTES> (Arrow IPC streams: nodeId int64,"
                + " ascending, and a column for each property), nodeProperty = null :: STRING (the name of the only such column),"
                + " nodeLabels = ['*'] :: LIST<STRING> (the labels whose nodes get the property),"
                + " ifExists = 'fail' :: STRING ('fail', 'replace', or 'merge' into what is there) }." + JobAccess.KEYS)
            Map<String, Object> configuration) {
        var start = System.nanoTime();
        var access = JobAccess.of(gnn, configuration, "gnn.nodeProperty.mutate");
        var config = NodePropertyMutateConfig.parse(access.configuration());
        var graph = access.open(tx, graphName).graph();
        return new ProjectionMutation(graph, guard::check).apply(config).stream()
            .map(done -> new MutateRow(graphName, done.property(), done.written(), done.skippedMissing(), millisSince(start)));
    }

    @Procedure(name = WRITE, mode = Mode.WRITE)
    @Description("Writes properties of stored nodes from Arrow columns, in batches that commit on their own: not atomic,"
        + " safe to run again.")
    public Stream<WriteRow> write(
            @Name(value = "nodeLabel", description = "The label the nodes must carry.") String nodeLabel,
            @Name(value = "configuration", description = "{ arrow :: BYTES | LIST<BYTES> (Arrow IPC streams: nodeId int64,"
                + " ascending, key int64 or utf8 where `key` is given, and a column for each property; null removes it),"
                + " nodeProperty = null :: STRING (the name of the only such column),"
                + " key = null :: STRING (the property that must equal the column `key`),"
                + " batchSize = 5000 :: INTEGER (rows a transaction), concurrency = half the cores :: INTEGER (1 to 4) }")
            Map<String, Object> configuration) {
        var start = System.nanoTime();
        var config = NodePropertyWriteConfig.parse(configuration);
        requireLabel(nodeLabel);
        OwnTransactions.requireNoWrites(tx, WRITE);
        var done = new BatchedWrite(gnn.database(), gnn.security(), guard::check).run(
            config.rows().batches(), config.batchSize(), config.concurrency(), new NodePropertyWriter(nodeLabel, config));
        return Stream.of(new WriteRow(
            done.written(), done.skippedMissing(), done.skippedChanged(), done.batchesCommitted(), done.batchesFailed(),
            done.firstError(), millisSince(start)));
    }

    private void requireLabel(String nodeLabel) {
        var known = StreamSupport.stream(tx.getAllLabels().spliterator(), false).map(Label::name).sorted().toList();
        if (!known.contains(nodeLabel)) {
            throw new InvalidConfiguration(List.of("No node of this database has the label `" + nodeLabel + "`."
                + Suggestion.sentence(nodeLabel, known) + " Known: " + (known.isEmpty() ? "none" : String.join(", ", known)) + "."));
        }
    }

    private static long millisSince(long start) {
        return (System.nanoTime() - start) / 1_000_000;
    }

    public record MutateRow(
        @Description("The projection.") String graphName,
        @Description("The property.") String nodeProperty,
        @Description("Nodes that got a value.") long nodePropertiesWritten,
        @Description("Rows whose node is not in the projection under the labels.") long skippedMissing,
        @Description("Milliseconds since the call began.") long millis) {}

    public record WriteRow(
        @Description("Property values that were set, or removed for nulls.") long nodePropertiesWritten,
        @Description("Rows whose node is gone.") long skippedMissing,
        @Description("Rows whose node lacks the label or has another key.") long skippedChanged,
        @Description("Transactions that were committed.") long batchesCommitted,
        @Description("Transactions that failed after three more attempts; what was committed stays.") long batchesFailed,
        @Description("Why the first of them failed, null where none did.") String firstError,
        @Description("Milliseconds the call took.") long millis) {}
}
