// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.database;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnServices;
import java.util.stream.Stream;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Procedure;

/** Lets a test hold what a procedure is given. */
public class ServicesProbe {
    static GnnServices seen;

    @Context
    public GnnContext gnn;

    /** One empty row, so that the call can stand alone. */
    public record Row(boolean done) {}

    @Procedure("gnn.test.services")
    public Stream<Row> services() {
        seen = gnn.services();
        return Stream.of(new Row(true));
    }
}
