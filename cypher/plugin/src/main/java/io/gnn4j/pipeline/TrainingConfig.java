// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import io.gnn4j.config.ConfigMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What is done beside and after the search. */
public final class TrainingConfig {
    public static final String KEYS = "{ deploy = 'always' :: STRING ('always', 'ifBetter' than what serves, or 'never'), warmStart = false"
        + " :: BOOLEAN (begin with the vectors of what serves), refit = true :: BOOLEAN (train what is kept on everything, once it is"
        + " measured), baselines = true :: BOOLEAN (measure simple models beside it), randomSeed = 1 :: INTEGER }";
    public static final List<String> DEPLOY = List.of("always", "ifBetter", "never");

    private TrainingConfig() {}

    static Map<String, Object> defaults() {
        return parse(Map.of());
    }

    /** Completed with the defaults. @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static Map<String, Object> parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var training = new LinkedHashMap<String, Object>();
        training.put("deploy", map.getChoice("deploy", "always", DEPLOY));
        training.put("warmStart", map.getBoolean("warmStart", false));
        training.put("refit", map.getBoolean("refit", true));
        training.put("baselines", map.getBoolean("baselines", true));
        training.put("randomSeed", map.getLong("randomSeed", 1, 0, Integer.MAX_VALUE));
        map.check();
        return training;
    }
}
