// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.negative;

import io.gnn4j.config.ConfigMap;
import java.util.List;
import java.util.Map;

/**
 * Which negatives are drawn.
 *
 * @param seeds Neo4j ids, repeats allowed; null means all nodes of {@code seedLabel}
 * @param among Neo4j ids of the nodes that may be drawn; null means all of {@code targetLabel}
 * @param relationshipTypes what counts as positive; empty means all
 * @param property the vectors that "hard" compares
 */
public record NegativeConfig(
        String seedLabel, String targetLabel, long[] seeds, long[] among, int count, String kind, String property, int pool, int skip,
        long randomSeed, List<String> relationshipTypes, List<String> labelPriority, int batchSize, int concurrency) {
    public static final String UNIFORM = "uniform";
    public static final String POPULAR = "popular";
    public static final String HARD = "hard";
    /** The keys, for the signature. */
    public static final String KEYS = "{ seedLabel :: STRING, targetLabel :: STRING,"
        + " seeds = all of seedLabel :: BYTES (little-endian int64 Neo4j ids) or LIST<INTEGER>,"
        + " count = 1 :: INTEGER (negatives of each seed), kind = 'uniform' :: STRING ('uniform', 'popular' or 'hard'),"
        + " among = all of targetLabel :: BYTES or LIST<INTEGER> (such as the items of a batch),"
        + " property = null :: STRING (the vectors of 'hard'), pool = 100 :: INTEGER (nearest that 'hard' draws among),"
        + " skip = 0 :: INTEGER (nearest that 'hard' leaves out), randomSeed = 0 :: INTEGER,"
        + " relationshipTypes = ['*'] :: LIST<STRING> (what counts as positive, in either direction),"
        + " labelPriority = [] :: LIST<STRING>, batchSize = 4096 :: INTEGER, concurrency = half the cores :: INTEGER (1 to 4) }";

    private static final int MOST_COUNT = 10_000;
    private static final int MOST_THREADS = 4;
    private static final int MOST_SEEDS = 1_000_000;

    public static NegativeConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var kind = map.getChoice("kind", UNIFORM, List.of(UNIFORM, POPULAR, HARD));
        var hard = kind.equals(HARD);
        for (var label : List.of("seedLabel", "targetLabel")) {
            if (!map.has(label)) {
                map.fault("`" + label + "` is missing: whose negatives are drawn, and which nodes can be one.");
            }
        }
        if (hard && !map.has("property")) {
            map.fault("`kind` 'hard' needs `property`: the vectors of both node types.");
        }
        for (var key : List.of("property", "pool", "skip")) {
            if (!hard && map.has(key)) {
                map.fault("`" + key + "` belongs to `kind` 'hard', but `kind` is '" + kind + "'.");
            }
        }
        var types = map.getStrings("relationshipTypes", List.of("*"));
        var config = new NegativeConfig(
            map.getString("seedLabel", ""), map.getString("targetLabel", ""),
            map.parse("seeds", ConfigMap::numbers).orElse(null), map.parse("among", ConfigMap::numbers).orElse(null),
            map.getInt("count", 1, 1, MOST_COUNT), kind, map.getString("property", null), map.getInt("pool", 100, 1, MOST_SEEDS),
            map.getInt("skip", 0, 0, MOST_SEEDS), map.getLong("randomSeed", 0, Long.MIN_VALUE, Long.MAX_VALUE),
            types.equals(List.of("*")) ? List.of() : types, map.getStrings("labelPriority", List.of()),
            map.getInt("batchSize", 4096, 1, MOST_SEEDS),
            map.getInt("concurrency", Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS), 1, MOST_THREADS));
        map.check();
        return config;
    }
}
