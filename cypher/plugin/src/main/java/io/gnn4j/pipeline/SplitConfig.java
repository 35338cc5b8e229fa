// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.task.Durations;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How the test part is held out. */
public final class SplitConfig {
    public static final String KEYS = "{ method :: STRING ('time': the last `horizon`; 'leave-last': the last `count` items of each user;"
        + " 'random': `testFraction` of each user's items; by default the first of these that the task allows), horizon :: STRING"
        + " (ISO-8601, 'P30D' say; by default that of the task), count = 1 :: INTEGER, testFraction = 0.2 :: FLOAT }";
    public static final List<String> METHODS = List.of("time", "leave-last", "random");

    private SplitConfig() {}

    /** Nothing is said: what suits the task. */
    static Map<String, Object> defaults() {
        return Map.of();
    }

    /** The map with what it says, checked. @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static Map<String, Object> parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var split = new LinkedHashMap<String, Object>();
        var method = map.getChoice("method", null, METHODS);
        if (method != null) {
            split.put("method", method);
        }
        if (map.has("horizon")) {
            var horizon = map.getString("horizon", null);
            if (horizon != null) {
                map.parse("horizon", value -> Durations.millis((String) value));
                split.put("horizon", horizon);
            }
            only(map, "horizon", method, "time");
        }
        if (map.has("count")) {
            split.put("count", map.getLong("count", 1, 1, 1_000_000));
            only(map, "count", method, "leave-last");
        }
        if (map.has("testFraction")) {
            var share = map.getDouble("testFraction", 0.2, 0, 1);
            if (share <= 0 || share >= 1) {
                map.fault("`testFraction` must lie in (0, 1), but is " + share + ".");
            }
            split.put("testFraction", share);
            only(map, "testFraction", method, "random");
        }
        if (map.has("randomSeed")) {
            map.fault("`randomSeed` is that of the whole training: CALL gnn.pipeline.configureTraining(name, {randomSeed: 7}).");
        }
        map.check();
        return split;
    }

    private static void only(ConfigMap map, String key, String method, String wanted) {
        if (!wanted.equals(method)) {
            map.fault("`" + key + "` goes with `method: '" + wanted + "'`" + (method == null ? ", which is not given."
                : ", but `method` is '" + method + "'."));
        }
    }
}
