// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.task.Durations;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What {@code gnn.pipeline.train} is asked for beside the projection.
 *
 * @param task in place of the pipeline's, or empty
 * @param training keys of {@link TrainingConfig} that hold for this job in place of the pipeline's
 * @param every ISO-8601 duration, or null
 * @param afterEvents new events, or null
 * @param shown as it was given, with the defaults
 */
public record TrainConfig(
    String pipeline,
    String modelName,
    boolean waits,
    String every,
    Long afterEvents,
    Map<String, Object> task,
    Map<String, Object> training,
    Map<String, Object> shown) {

    public static final String KEYS = "{ pipeline :: STRING, modelName :: STRING, wait = false :: BOOLEAN (for its end; ending the call"
        + " does not cancel the job), every :: STRING (train again and again, 'P1D' say), afterEvents :: INTEGER (train again after so many"
        + " new events), deploy, warmStart, refit, baselines, randomSeed (as gnn.pipeline.configureTraining has them), task :: MAP, or"
        + " targetRelationshipType, sourceNodeLabel and targetNodeLabel :: STRING, for a pipeline without a task }";

    /** @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static TrainConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var pipeline = required(map, "pipeline");
        var modelName = required(map, "modelName");
        if (modelName != null && !modelName.matches("[A-Za-z0-9_]{1,64}")) {
            map.fault("`modelName` has 1 to 64 of the characters A-Z, a-z, 0-9 and _, but is '" + modelName + "'.");
        }
        var waits = map.getBoolean("wait", false);
        var every = map.getString("every", null);
        if (every != null) {
            map.parse("every", value -> Durations.millis((String) value));
        }
        var afterEvents = map.has("afterEvents") ? map.getLong("afterEvents", 1, 1, Long.MAX_VALUE) : null;
        if (every != null && afterEvents != null) {
            map.fault("`every` and `afterEvents` exclude each other: a schedule goes by the clock or by events.");
        }
        var training = new LinkedHashMap<String, Object>();
        training(map, training);
        var task = task(map);
        map.check();
        var shown = new LinkedHashMap<String, Object>(raw);
        shown.put("wait", waits);
        return new TrainConfig(pipeline, modelName, waits, every, afterEvents, task, training, shown);
    }

    private static void training(ConfigMap map, Map<String, Object> training) {
        if (map.has("deploy")) {
            training.put("deploy", map.getChoice("deploy", null, TrainingConfig.DEPLOY));
        }
        for (var key : new String[] {"warmStart", "refit", "baselines"}) {
            if (map.has(key)) {
                training.put(key, map.getBoolean(key, false));
            }
        }
        if (map.has("randomSeed")) {
            training.put("randomSeed", map.getLong("randomSeed", 1, 0, Integer.MAX_VALUE));
        }
    }

    private static Map<String, Object> task(ConfigMap map) {
        var type = map.getString("targetRelationshipType", null);
        var source = map.getString("sourceNodeLabel", null);
        var target = map.getString("targetNodeLabel", null);
        var given = map.has("task");
        var task = new LinkedHashMap<String, Object>();
        if (given) {
            map.parse("task", value -> {
                if (!(value instanceof Map<?, ?> inner)) {
                    throw new IllegalArgumentException("it must be a MAP, but is " + ConfigMap.describe(value) + ".");
                }
                inner.forEach((key, one) -> task.put((String) key, one));
                return task;
            });
        }
        if (type == null && source == null && target == null) {
            return task;
        }
        if (given) {
            map.fault("`task` says it all: leave `targetRelationshipType`, `sourceNodeLabel` and `targetNodeLabel` out.");
        } else if (type == null || source == null || target == null) {
            map.fault("`targetRelationshipType`, `sourceNodeLabel` and `targetNodeLabel` go together: what is recommended to whom.");
        } else {
            task.put("recommend", target);
            task.put("to", source);
            task.put("via", Map.of(type, 1.0));
        }
        return task;
    }

    private static String required(ConfigMap map, String key) {
        var text = map.getString(key, null);
        if (!map.has(key)) {
            map.fault("No value specified for the mandatory configuration parameter `" + key + "`.");
        }
        return text;
    }
}
