// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.embed.LapClock;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.writeback.BatchedWrite;
import io.gnn4j.writeback.OwnTransactions;
import io.gnn4j.writeback.RelationshipWriteConfig;
import io.gnn4j.writeback.RelationshipWriter;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** The way back for relationships. */
public class RelationshipProcedure {
    private static final String WRITE = "gnn.relationship.write";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = WRITE, mode = Mode.WRITE)
    @Description("Makes relationships between stored nodes, or sets the properties of those that are there, from Arrow columns,"
        + " in batches that commit on their own: not atomic, safe to run again.")
    public Stream<RelationshipWriteRow> write(
            @Name(value = "relationshipType", description = "The type: letters A to Z, digits and underscores.")
            String relationshipType,
            @Name(value = "configuration", description = "{ arrow :: BYTES | LIST<BYTES> (Arrow IPC streams: sourceId and targetId"
                + " int64, ascending by both; sourceKey and targetKey int64 or utf8 where they are asked for; a column for each"
                + " property, null removes it), sourceLabel = null :: STRING, targetLabel = null :: STRING (labels the nodes must"
                + " carry), sourceKey = null :: STRING, targetKey = null :: STRING (properties that must equal the columns of"
                + " these names), batchSize = 5000 :: INTEGER (rows a transaction), concurrency = 1 :: INTEGER (1 to 4) }")
            Map<String, Object> configuration) {
        var clock = new LapClock();
        var config = RelationshipWriteConfig.parse(configuration);
        if (relationshipType == null || !relationshipType.matches("[A-Za-z0-9_]{1,256}")) {
            throw new InvalidConfiguration(List.of("'" + relationshipType + "' cannot be a relationship type: letters A to Z,"
                + " digits and underscores, at most 256."));
        }
        OwnTransactions.requireNoWrites(tx, WRITE);
        var done = new BatchedWrite(gnn.database(), gnn.security(), guard::check).run(
            config.rows().batches(), config.batchSize(), config.concurrency(), new RelationshipWriter(relationshipType, config));
        return Stream.of(new RelationshipWriteRow(
            done.created(), done.written(), done.skippedMissing(), done.skippedChanged(), done.batchesCommitted(),
            done.batchesFailed(), done.firstError(), clock.lap()));
    }

    public record RelationshipWriteRow(
        @Description("Relationships that were made; the others were there.") long relationshipsCreated,
        @Description("Property values that were set, or removed for nulls.") long relationshipPropertiesWritten,
        @Description("Rows with a node that is gone.") long skippedMissing,
        @Description("Rows with a node that lacks its label or has another key.") long skippedChanged,
        @Description("Transactions that were committed.") long batchesCommitted,
        @Description("Transactions that failed after three more attempts; what was committed stays.") long batchesFailed,
        @Description("Why the first of them failed, null where none did.") String firstError,
        @Description("Milliseconds the call took.") long millis) {}
}
