// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/** What happened in a job, line by line: nodes beside it, so that they go with it. */
public final class JobLog {
    static final Label LOG = Label.label("GnnJobLog");
    static final RelationshipType HAS_LOG = RelationshipType.withName("HAS_LOG");

    private JobLog() {}

    /**
     * @param at epoch milliseconds
     * @param number counts the lines of a job
     */
    public record Line(long at, long number, String level, String message) {}

    /** One more line of a locked job. */
    static void add(Transaction tx, Node job, long now, String level, String message) {
        var before = JobStore.number(job, "logLines");
        var number = before == null ? 0 : before;
        var line = tx.createNode(LOG);
        line.setProperty("at", now);
        line.setProperty("number", number);
        line.setProperty("level", level);
        line.setProperty("message", message);
        job.createRelationshipTo(line, HAS_LOG);
        job.setProperty("logLines", number + 1);
    }

    /** The lines of a job in their order; those that somebody broke are left out. */
    static List<Line> of(Node job) {
        var lines = new ArrayList<Line>();
        try (var found = job.getRelationships(Direction.OUTGOING, HAS_LOG)) {
            for (var relationship : found) {
                var line = relationship.getEndNode();
                var at = JobStore.number(line, "at");
                var number = JobStore.number(line, "number");
                if (at != null && number != null) {
                    lines.add(new Line(at, number, JobStore.text(line, "level"), JobStore.text(line, "message")));
                }
            }
        }
        lines.sort(Comparator.comparingLong(Line::number));
        return lines;
    }
}
