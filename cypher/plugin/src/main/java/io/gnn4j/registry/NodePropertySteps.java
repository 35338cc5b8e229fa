// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.pipeline.Step;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.neo4j.graphdb.Transaction;

/** Node properties that GDS computes for a pipeline: real procedures, with configurations that GDS takes. */
public final class NodePropertySteps {
    private static final String KNOWN = """
        SHOW PROCEDURES YIELD name WHERE name STARTS WITH 'gds.' AND name ENDS WITH '.mutate' RETURN name ORDER BY name""";

    private final Transaction tx;
    private final GraphCatalog graphs;

    public NodePropertySteps(Transaction tx, GraphCatalog graphs) {
        this.tx = tx;
        this.graphs = graphs;
    }

    /**
     * @param before the steps the pipeline has already
     * @param procedure as GDS takes it in its own pipelines: {@code fastRP}, {@code gds.fastRP} or {@code gds.fastRP.mutate}
     * @throws InvalidConfiguration when there is no such procedure, or it does not take the configuration
     * @throws io.gnn4j.graph.GdsUnavailable when no supported GDS is linked
     */
    public Step check(List<Step> before, String procedure, Map<String, Object> configuration) {
        var config = new LinkedHashMap<String, Object>(configuration == null ? Map.of() : configuration);
        ConfigJson.write("configuration", config);
        if (!graphs.status().supported()) {
            graphs.checkStep(String.valueOf(procedure), config); // says which GDS was found
        }
        var full = full(procedure);
        if (!(config.get("mutateProperty") instanceof String property) || property.isBlank()) {
            throw new InvalidConfiguration(List.of("No value specified for the mandatory configuration parameter `mutateProperty`: the name"
                + " of the node property that `" + full + "` adds."));
        }
        if (before.stream().anyMatch(step -> property.equals(step.property()))) {
            throw new InvalidConfiguration(List.of("The value of `mutateProperty` is expected to be unique, but '" + property
                + "' was already specified in the " + before.stream().filter(step -> property.equals(step.property())).findFirst()
                    .orElseThrow().procedure() + " procedure."));
        }
        try {
            graphs.checkStep(full, config);
        } catch (IllegalArgumentException refused) {
            throw new InvalidConfiguration(List.of("`" + full + "` does not take this configuration: " + refused.getMessage()));
        }
        return new Step(full, config);
    }

    private String full(String procedure) {
        var known = tx.execute(KNOWN).<String>columnAs("name").stream().toList();
        var name = String.valueOf(procedure).strip();
        var wanted = (name.toLowerCase(Locale.ROOT).startsWith("gds.") ? name : "gds." + name);
        var full = wanted.toLowerCase(Locale.ROOT).endsWith(".mutate") ? wanted : wanted + ".mutate";
        return known.stream().filter(full::equalsIgnoreCase).findFirst().orElseThrow(() -> new InvalidConfiguration(List.of(
            "Could not find a procedure called " + full + "." + Suggestion.sentence(full, known)
                + " A step is a GDS procedure with a mutate mode, `fastRP` say; SHOW PROCEDURES lists them.")));
    }
}
