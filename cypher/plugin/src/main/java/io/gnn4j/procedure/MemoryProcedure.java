// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import java.util.stream.Stream;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Procedure;

/** What is kept in memory. */
public class MemoryProcedure {
    @Context
    public GnnContext gnn;

    @Procedure(name = "gnn.memory.list", mode = Mode.READ)
    @Description("What gnn4j keeps in memory for this database, within server.gnn.memory.max: what serves everybody, and what is yours.")
    public Stream<MemoryRow> list() {
        return gnn.services().memory().uses().stream()
            .filter(use -> use.database().equals(gnn.databaseName()))
            .filter(use -> use.user() == null || use.user().equals(gnn.user()))
            .map(use -> new MemoryRow(use.kind(), use.name(), use.database(), use.user(), use.bytes(), use.holders() > 0));
    }

    public record MemoryRow(
        @Description("What it is: vectors, popularity or a copy of a graph.") String kind,
        @Description("What it was made from.") String name,
        @Description("The database it belongs to.") String database,
        @Description("Whose it is; null when it serves everybody.") String user,
        @Description("Bytes it takes.") long bytes,
        @Description("Whether a call uses it now; then it is not evicted.") boolean inUse) {}
}
