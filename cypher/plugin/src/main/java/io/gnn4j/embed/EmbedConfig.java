// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.PropertyDraft.IfExists;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What to embed.
 *
 * @param model an alias or {@code name:version}
 * @param nodeLabels empty means all that the model embeds
 * @param batchSize seeds of one run of the model, in [1, {@value #MAX_BATCH}]; 0 lets the size of a batch in memory decide
 * @param concurrency threads, in [1, 4]
 * @param property to be filled; null in modes that fill none
 * @param ifExists what to do about a property of that name in the projection
 */
public record EmbedConfig(String model, List<String> nodeLabels, int batchSize, int concurrency, String property, IfExists ifExists) {
    public static final String MUTATE = "mutateProperty";
    public static final String WRITE = "writeProperty";
    static final int MAX_BATCH = 1_000_000;
    private static final int MOST_THREADS = 4;

    /**
     * @param propertyKey {@link #MUTATE} or {@link #WRITE}, which is then needed; null where there is none
     * @throws InvalidConfiguration with all faults
     */
    public static EmbedConfig parse(Map<String, Object> raw, String propertyKey) {
        var map = ConfigMap.of(raw);
        var labels = map.getStrings("nodeLabels", List.of("*"));
        var config = new EmbedConfig(
            map.getString("model", null),
            labels.equals(List.of("*")) ? List.of() : labels,
            map.getInt("batchSize", 0, 1, MAX_BATCH),
            map.getInt("concurrency", Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS), 1, MOST_THREADS),
            propertyKey == null ? null : map.getString(propertyKey, null),
            !MUTATE.equals(propertyKey) ? IfExists.FAIL
                : IfExists.valueOf(map.getChoice("ifExists", "fail", List.of("fail", "replace", "merge")).toUpperCase(Locale.ROOT)));
        if (!map.has("model")) {
            map.fault("`model` is missing: name an alias ('shop') or a version ('shop:3') that follows padded-blocks/1.");
        }
        if (propertyKey != null && (!map.has(propertyKey) || config.property() != null && config.property().isBlank())) {
            map.fault("`" + propertyKey + "` is missing: name the property that gets the vectors.");
        }
        map.check();
        return config;
    }

    /** All nodes that a model embeds, in batches of its own size. */
    public static EmbedConfig all(String model, int concurrency) {
        return new EmbedConfig(model, List.of(), 0, concurrency, null, IfExists.FAIL);
    }

    /**
     * The labels whose nodes are embedded, in the order of the model.
     *
     * @throws InvalidConfiguration for labels that the model does not embed
     */
    public List<String> labels(BlockSchema schema) {
        var unknown = nodeLabels.stream().filter(label -> !schema.seeds().contains(label)).map(label ->
            "`nodeLabels` names '" + label + "', which the model does not embed." + Suggestion.sentence(label, schema.seeds())
                + " It embeds: " + String.join(", ", schema.seeds()) + ".").toList();
        if (!unknown.isEmpty()) {
            throw new InvalidConfiguration(unknown);
        }
        return nodeLabels.isEmpty() ? schema.seeds() : schema.seeds().stream().filter(nodeLabels::contains).toList();
    }

    /** With its defaults, for the column {@code configuration}. */
    public Map<String, Object> toMap(String propertyKey, String reference, List<String> labels, Map<String, Long> batchSizes) {
        var map = new LinkedHashMap<String, Object>();
        map.put("model", reference);
        map.put("nodeLabels", labels);
        map.put("batchSize", batchSize > 0 ? (Object) (long) batchSize : batchSizes);
        map.put("concurrency", (long) concurrency);
        if (propertyKey != null) {
            map.put(propertyKey, property);
        }
        if (MUTATE.equals(propertyKey)) {
            map.put("ifExists", ifExists.name().toLowerCase(Locale.ROOT));
        }
        return map;
    }
}
