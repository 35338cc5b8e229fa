// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.GraphExport;
import io.gnn4j.graph.GraphExportConfig;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** The way out of a projection. */
public class GraphExportProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.graph.export", mode = Mode.READ)
    @Description("Streams a GDS projection as Arrow bytes: one schema record, then nodes by type, then relationships.")
    public Stream<ExportRow> export(
            @Name(value = "graphName", description = "A projection of yours, made by gds.graph.project.") String graphName,
            @Name(value = "configuration", defaultValue = "{}", description = "{ layout = 'csr' :: STRING ('csr' or 'coo'),"
                + " nodeLabels = ['*'] :: LIST<STRING>, relationshipTypes = ['*'] :: LIST<STRING>,"
                + " nodeProperties = ['*'] :: LIST<STRING>, relationshipProperties = ['*'] :: LIST<STRING>,"
                + " labelPriority = [] :: LIST<STRING> (the type of a node with several labels is the first of these),"
                + " task = null :: MAP (a task: its labels are the nodeLabels and decide in their order),"
                + " batchSize = 0 :: INTEGER (rows a record; 0 makes records of 2 MB),"
                + " concurrency = half the cores :: INTEGER (1 to 4) }." + JobAccess.KEYS)
            Map<String, Object> configuration) {
        var access = JobAccess.of(gnn, configuration, "gnn.graph.export");
        var config = GraphExportConfig.parse(access.configuration());
        var graph = access.open(tx, graphName).graph();
        return new GraphExport(graph, config, guard::check).stream()
            .map(part -> new ExportRow(part.kind(), part.name(), part.rows(), part.arrow()));
    }

    public record ExportRow(
        @Description("schema, nodes or relationships.") String kind,
        @Description("The graph, the node type, or the relation as (Source)-[TYPE]->(Target).") String name,
        @Description("Rows of the record batch.") long rows,
        @Description("One complete Arrow IPC stream.") byte[] arrow) {}
}
