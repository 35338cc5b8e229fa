// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToLongFunction;

/**
 * What a caller of {@code gnn.recommend.write} asked for.
 *
 * @param lists how each list is made
 * @param users ascending, each once; null: all
 * @param relationshipType of what is written
 * @param batchSize users of one transaction
 * @param since users whose list was written then or later by the same model are left alone; epoch milliseconds
 */
public record RecommendWriteConfig(
        RecommendConfig lists, long[] users, String relationshipType, int batchSize, Long since) {
    /** A list of a thousand rows is no list any more, and a million users with it are no write. */
    static final int MAX_TOP_K = 1_000;

    /**
     * What a list replaces is deleted, so no relationships of another meaning may have its type.
     *
     * @param key of the configuration, for the message
     * @throws InvalidConfiguration for a type that the task reads, and for gnn4j's own
     */
    public static void requireFree(String key, String type, Task task) {
        var read = new TreeSet<>(task.types());
        read.addAll(task.ratings().keySet());
        if (read.contains(type) || type.startsWith("GNN_")) {
            throw new InvalidConfiguration(List.of("`" + key + "` is '" + type + "', which " + (read.contains(type)
                ? "the task reads" : "gnn4j keeps other things in") + ": writing lists would delete these relationships. Name another,"
                + " as 'RECOMMENDED'."));
        }
    }

    /** @throws InvalidConfiguration with all faults */
    public static RecommendWriteConfig parse(Map<String, Object> raw, ToLongFunction<Object> nodeId) {
        var map = ConfigMap.of(raw);
        var users = RecommendConfig.ids(map, "users", nodeId);
        var type = map.getString("relationshipType", "RECOMMENDED");
        if (!type.matches("[A-Za-z0-9_]{1,256}")) {
            map.fault("`relationshipType` must be letters A to Z, digits and underscores, at most 256, but is '" + type + "'.");
        }
        var batchSize = map.getInt("batchSize", 200, 1, 10_000);
        var since = map.has("since") ? Long.valueOf(map.getLong("since", 0, 0, Long.MAX_VALUE)) : null;
        var lists = RecommendConfig.lists(map, nodeId);
        if (lists.topK() > MAX_TOP_K) {
            map.fault("`topK` must be at most " + MAX_TOP_K + " where lists are written, but is " + lists.topK() + ".");
        }
        map.check();
        return new RecommendWriteConfig(
            lists, users == null ? null : Arrays.stream(users).sorted().distinct().toArray(), type, batchSize, since);
    }
}
