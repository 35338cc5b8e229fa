// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What to propagate.
 *
 * @param model an alias or {@code name:version}; the name of a model when {@code version} is given
 * @param version null unless it is given beside the name
 * @param concurrency threads, in [1, 4]
 */
public record PropagateConfig(String model, Long version, int concurrency) {
    private static final int MOST_THREADS = 4;

    /** @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static PropagateConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var model = map.getString("model", null);
        var version = map.has("version") ? map.getLong("version", 1, 1, Long.MAX_VALUE) : null;
        var half = Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS);
        var concurrency = map.getInt("concurrency", half, 1, MOST_THREADS);
        if (!map.has("model")) {
            map.fault("`model` is missing: name an alias ('shop'), a version ('shop:3'), or a model beside `version`.");
        } else if (version != null && model != null && !ModelName.isValid(model)) {
            map.fault("`model` must be the name of a model where `version` is given, but is '" + model + "'.");
        }
        map.check();
        return new PropagateConfig(model, version, concurrency);
    }

    Map<String, Object> toMap(ServedModel served) {
        var map = new LinkedHashMap<String, Object>();
        map.put("model", served.name());
        map.put("version", served.version());
        map.put("concurrency", (long) concurrency);
        return map;
    }
}
