// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import io.gnn4j.config.ConfigMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** How long good hyper-parameters are looked for. */
public final class AutoTuningConfig {
    public static final String KEYS = "{ maxTrials = 10 :: INTEGER, maxMinutes = null :: FLOAT (no bound) }";

    private AutoTuningConfig() {}

    static Map<String, Object> defaults() {
        return Map.of("maxTrials", 10L);
    }

    /** Completed with the defaults. @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static Map<String, Object> parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var tuning = new LinkedHashMap<String, Object>();
        tuning.put("maxTrials", map.getLong("maxTrials", 10, 1, 100_000));
        if (map.has("maxMinutes")) {
            tuning.put("maxMinutes", map.getDouble("maxMinutes", 1, 0.01, 100_000));
        }
        map.check();
        return tuning;
    }
}
