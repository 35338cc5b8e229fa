// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import java.util.List;
import java.util.Map;

/**
 * What a caller of {@code gnn.explain.stream} asked for.
 *
 * @param model alias or version; null: the only one that fits
 * @param template of the column {@code text}; null: no text
 * @param types relationship types that may lie between what was touched and the target; null: all but gnn4j's own
 * @param maxDegree relationships read of the source; of another node, most of one type
 */
public record ExplainConfig(String model, ReasonText template, List<String> types, int maxDegree) {
    /** @throws InvalidConfiguration with all faults */
    public static ExplainConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var template = map.getString("template", null);
        var config = new ExplainConfig(
            map.getString("model", null),
            template == null ? null : map.parse("template", text -> ReasonText.parse((String) text)).orElse(null),
            map.getStrings("types", null),
            map.getInt("maxDegree", 10_000, 1, 1_000_000));
        map.check();
        return config;
    }
}
