// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.InvalidArrow;
import io.gnn4j.config.ConfigMap;
import java.util.List;
import java.util.Map;

/** One end each: the label it must carry and the property that must equal its key column, null where none is asked for. */
public record RelationshipWriteConfig(
        PropertyRows rows, String sourceLabel, String targetLabel, String sourceKey, String targetKey, int batchSize,
        int concurrency) {
    public static RelationshipWriteConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var config = new RelationshipWriteConfig(
            rows(map),
            map.getString("sourceLabel", null),
            map.getString("targetLabel", null),
            map.getString("sourceKey", null),
            map.getString("targetKey", null),
            map.getInt("batchSize", 5_000, 1, 1_000_000),
            map.getInt("concurrency", 1, 1, NodePropertyWriteConfig.MOST_THREADS));
        if (config.rows() != null) {
            requireBoth(map, config.rows(), 0, "sourceKey", config.sourceKey());
            requireBoth(map, config.rows(), 1, "targetKey", config.targetKey());
        }
        map.check();
        return config;
    }

    private static PropertyRows rows(ConfigMap map) {
        var arrow = map.getAny("arrow");
        if (arrow.isEmpty()) {
            map.fault("`arrow` is missing: an Arrow IPC stream as BYTES, or a list of them.");
            return null;
        }
        try {
            return PropertyRows.read(arrow.get(), null, List.of("sourceId", "targetId"), List.of("sourceKey", "targetKey"));
        } catch (InvalidArrow fault) {
            map.fault(fault.getMessage());
            return null;
        }
    }

    private static void requireBoth(ConfigMap map, PropertyRows rows, int position, String name, String property) {
        if (rows.hasKey(position) != (property != null)) {
            map.fault(property == null
                ? "The Arrow stream has a column `" + name + "`: name the property that holds it in `" + name + "`."
                : "`" + name + "` is '" + property + "', but the Arrow stream has no column `" + name + "`.");
        }
    }
}
