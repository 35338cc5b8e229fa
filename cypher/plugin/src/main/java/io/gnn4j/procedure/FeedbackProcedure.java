// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.feedback.FeedbackEvent;
import io.gnn4j.graph.FeedbackStore;
import io.gnn4j.graph.FeedbackStore.Outcome;
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

/** What became of what was recommended. */
public class FeedbackProcedure {
    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.feedback.record", mode = Mode.WRITE)
    @Description("Keeps what was shown, clicked and dismissed as (:User)-[:GNN_FEEDBACK]->(:Item), each (recommendationId, kind, node)"
        + " of a source once: sending events again is harmless. A dismissed item is not recommended to its source again.")
    public Stream<FeedbackRow> record(
            @Name(value = "events", description = "{ recommendationId :: STRING (made by the caller for a list), kind :: STRING"
                + " ('impression', 'click' or 'dismiss'), source :: NODE, node :: NODE, rank :: INTEGER, model :: STRING,"
                + " version :: INTEGER, at :: INTEGER (epoch milliseconds) }, the last four optional; at most 100000.")
            List<Map<String, Object>> events,
            @Name(value = "configuration", defaultValue = "{}", description = "For events that do not say it themselves: { model :: STRING,"
                + " version :: INTEGER, at = now :: INTEGER }")
            Map<String, Object> configuration) {
        var parsed = FeedbackEvent.parse(
            events == null ? List.of() : events, configuration, AnswerCall::id, System.currentTimeMillis());
        return Stream.of(new FeedbackRow(new FeedbackStore(tx).record(parsed, guard::check)));
    }

    public record FeedbackRow(
        @Description("Events that were kept.") long recorded,
        @Description("Events that were there already.") long duplicates,
        @Description("Events whose source or item is null or gone.") long rejected) {
        FeedbackRow(Outcome outcome) {
            this(outcome.recorded(), outcome.duplicates(), outcome.rejected());
        }
    }
}
