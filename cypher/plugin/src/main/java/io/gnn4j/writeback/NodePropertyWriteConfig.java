// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.InvalidArrow;
import io.gnn4j.config.ConfigMap;
import java.util.List;
import java.util.Map;

/**
 * @param key the property that must equal the column {@code key}; null where rows carry no keys
 */
public record NodePropertyWriteConfig(PropertyRows rows, String key, int batchSize, int concurrency) {
    static final int MOST_THREADS = 4;

    public static NodePropertyWriteConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var key = map.getString("key", null);
        var rows = rows(map);
        var config = new NodePropertyWriteConfig(
            rows,
            key,
            map.getInt("batchSize", 5_000, 1, 1_000_000),
            map.getInt("concurrency", Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS), 1, MOST_THREADS));
        if (rows != null && rows.hasKey(0) != (key != null)) {
            map.fault(key == null
                ? "The Arrow stream has a column `key`: name the property that holds it in `key`."
                : "`key` is '" + key + "', but the Arrow stream has no column `key`.");
        }
        map.check();
        return config;
    }

    /** Null after a fault. */
    static PropertyRows rows(ConfigMap map) {
        var nodeProperty = map.getString("nodeProperty", null);
        var arrow = map.getAny("arrow");
        if (arrow.isEmpty()) {
            map.fault("`arrow` is missing: an Arrow IPC stream as BYTES, or a list of them.");
            return null;
        }
        try {
            var rows = PropertyRows.read(arrow.get(), nodeProperty, List.of("nodeId"), List.of("key"));
            if (rows.columns().isEmpty()) {
                throw new InvalidArrow("The Arrow stream has no column with values.");
            }
            return rows;
        } catch (InvalidArrow fault) {
            map.fault(fault.getMessage());
            return null;
        }
    }
}
