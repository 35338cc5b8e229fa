// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.task.Task;
import java.util.List;
import java.util.Map;

/**
 * What to export.
 *
 * @param layout {@code csr} or {@code coo}
 * @param nodeLabels the node types; empty means all, here and for the other lists but {@code labelPriority}
 * @param nodeProperties null means all, empty none; so for {@code relationshipProperties}
 * @param batchSize rows a record; 0 means as many as make 2 MB
 */
public record GraphExportConfig(
        String layout, List<String> nodeLabels, List<String> relationshipTypes, List<String> nodeProperties,
        List<String> relationshipProperties, List<String> labelPriority, int batchSize, int concurrency) {
    public static final String CSR = "csr";
    public static final String COO = "coo";

    private static final int MOST_THREADS = 4;
    private static final int MOST_ROWS = 10_000_000;
    private static final List<String> EVERYTHING = List.of("*");

    public static GraphExportConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var taskLabels = map.has("task") ? Task.read(map.getMap("task")).labels() : List.<String>of();
        if (map.has("labelPriority") && !taskLabels.isEmpty()) {
            map.fault("`labelPriority` and `task` exclude each other: the labels of a task decide in their own order.");
        }
        var config = new GraphExportConfig(
            map.getChoice("layout", CSR, List.of(CSR, COO)),
            names(map.getStrings("nodeLabels", taskLabels.isEmpty() ? EVERYTHING : taskLabels)),
            names(map.getStrings("relationshipTypes", EVERYTHING)),
            properties(map.getStrings("nodeProperties", EVERYTHING)),
            properties(map.getStrings("relationshipProperties", EVERYTHING)),
            map.getStrings("labelPriority", taskLabels),
            map.getInt("batchSize", 0, 0, MOST_ROWS),
            map.getInt("concurrency", defaultConcurrency(), 1, MOST_THREADS));
        map.check();
        return config;
    }

    /** Half the cores, at least 1 and at most 4. */
    static int defaultConcurrency() {
        return Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS);
    }

    private static List<String> names(List<String> given) {
        return given.equals(EVERYTHING) ? List.of() : given;
    }

    private static List<String> properties(List<String> given) {
        return given.equals(EVERYTHING) ? null : given.stream().distinct().toList();
    }

    boolean isCsr() {
        return layout.equals(CSR);
    }
}
