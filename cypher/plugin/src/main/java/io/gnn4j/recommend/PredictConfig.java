// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.config.ConfigMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What a caller of {@code gnn.pipeline.predict} asked for.
 *
 * @param lists how each list is made; its model is the one named, its task that of the model
 * @param relationshipType of what is made; null where rows are streamed
 * @param property that holds the score in a projection; null in other modes
 * @param batchSize users of one transaction, where lists are written
 * @param since users whose list was written then or later by the same model are left alone; epoch milliseconds
 * @param given the map of the caller
 */
public record PredictConfig(
        RecommendConfig lists, String relationshipType, String property, int batchSize, Long since, Map<String, Object> given) {
    /** What becomes of the rows. */
    public enum Output { STREAM, MUTATE, WRITE }

    private static final String MUTATE_TYPE = "mutateRelationshipType";
    private static final String MUTATE_PROPERTY = "mutateProperty";
    private static final String WRITE_TYPE = "writeRelationshipType";

    /** @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static PredictConfig parse(Map<String, Object> raw, Output output, ToLongFunction<Object> nodeId) {
        var map = ConfigMap.of(raw);
        var model = map.getString("modelName", null);
        if (!map.has("modelName")) {
            map.fault("`modelName` is missing: name an alias ('shop') or a version ('shop:3'). `CALL gnn.model.list()` shows them; a"
                + " pipeline is no model before gnn.pipeline.train has made one.");
        }
        String type = null;
        String property = null;
        var batchSize = 0;
        Long since = null;
        if (output == Output.MUTATE) {
            type = map.getString(MUTATE_TYPE, null);
            if (!map.has(MUTATE_TYPE) || type != null && type.isBlank()) {
                map.fault("`" + MUTATE_TYPE + "` is missing: name the relationship type that the projection gets.");
            }
            property = map.getString(MUTATE_PROPERTY, "score");
            if (property.isBlank()) {
                map.fault("`" + MUTATE_PROPERTY + "` must not be empty: it names the property that holds the score.");
            }
        } else if (output == Output.WRITE) {
            type = map.getString(WRITE_TYPE, "RECOMMENDED");
            if (!type.matches("[A-Za-z0-9_]{1,256}")) {
                map.fault("`" + WRITE_TYPE + "` must be letters A to Z, digits and underscores, at most 256, but is '" + type + "'.");
            }
            batchSize = map.getInt("batchSize", 200, 1, 10_000);
            since = map.has("since") ? Long.valueOf(map.getLong("since", 0, 0, Long.MAX_VALUE)) : null;
        }
        var lists = RecommendConfig.predictions(map, model, nodeId);
        if (output != Output.STREAM && lists.topK() > RecommendWriteConfig.MAX_TOP_K) {
            map.fault("`topK` must be at most " + RecommendWriteConfig.MAX_TOP_K + " where lists are kept, but is " + lists.topK() + ".");
        }
        map.check();
        return new PredictConfig(lists, type, property, batchSize, since, raw);
    }

    /** What the caller gave, with the defaults that matter, for the column {@code configuration}. */
    public Map<String, Object> toMap(String graphName, String reference) {
        var map = new LinkedHashMap<String, Object>();
        map.put("graphName", graphName);
        map.put("topK", (long) lists.topK());
        map.put("method", lists.method());
        map.put("concurrency", (long) lists.concurrency());
        if (property != null) {
            map.put(MUTATE_TYPE, relationshipType);
            map.put(MUTATE_PROPERTY, property);
        } else if (relationshipType != null) {
            map.put(WRITE_TYPE, relationshipType);
            map.put("batchSize", (long) batchSize);
        }
        given.forEach(map::put);
        map.put("modelName", reference);
        return map;
    }
}
