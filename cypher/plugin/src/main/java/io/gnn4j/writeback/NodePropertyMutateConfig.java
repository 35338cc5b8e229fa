// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.graph.PropertyDraft.IfExists;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** @param nodeLabels empty means all */
public record NodePropertyMutateConfig(PropertyRows rows, List<String> nodeLabels, IfExists ifExists) {
    public static NodePropertyMutateConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var labels = map.getStrings("nodeLabels", List.of("*"));
        var config = new NodePropertyMutateConfig(
            NodePropertyWriteConfig.rows(map),
            labels.equals(List.of("*")) ? List.of() : labels,
            IfExists.valueOf(map.getChoice("ifExists", "fail", List.of("fail", "replace", "merge")).toUpperCase(Locale.ROOT)));
        if (config.rows() != null) {
            for (var column : config.rows().columns()) {
                if (ProjectionMutation.type(column.field()) == null) {
                    map.fault("Column `" + column.field().name() + "` is " + column.field().typeName()
                        + "; a projection holds numbers and lists of numbers.");
                }
            }
        }
        map.check();
        return config;
    }
}
