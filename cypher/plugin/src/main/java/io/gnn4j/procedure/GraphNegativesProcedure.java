// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.negative.NegativeConfig;
import io.gnn4j.negative.Negatives;
import io.gnn4j.sample.ProjectedNeighbours.Access;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** What nodes do not have. */
public class GraphNegativesProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.graph.negatives", mode = Mode.READ)
    @Description("Draws nodes that the seeds have no relationship with, as Arrow bytes: one record for each batch of seeds.")
    public Stream<NegativeRow> negatives(
            @Name(value = "graphName", description = "A projection of yours, made by gds.graph.project.") String graphName,
            @Name(value = "configuration", description = NegativeConfig.KEYS) Map<String, Object> configuration) {
        var config = NegativeConfig.parse(configuration);
        if (graphName == null) {
            throw new IllegalArgumentException("`graphName` is null. Name a projection.");
        }
        var services = gnn.services();
        var access = new Access(services.graphCaches(), gnn.databaseName(), gnn.user(),
            services.graphs().open(gnn.user(), gnn.databaseName(), graphName), guard::check);
        return Negatives.stream(access, config).map(NegativeRow::new);
    }

    public record NegativeRow(
        @Description("Number of the batch, from 0, in the order of the seeds.") long batch,
        @Description("Seeds in it.") long seeds,
        @Description("One complete Arrow IPC stream of one row: index and id of count negatives a seed, -1 where there is none.")
        byte[] arrow) {
        NegativeRow(Negatives.Part part) {
            this(part.batch(), part.seeds(), part.arrow());
        }
    }
}
