// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How a model is to be found: what is recommended, which node properties are computed, how it is split, what is tried.
 *
 * @param task the task map, empty until it is known
 * @param features node properties the models may read; empty leaves it to the task
 */
public record Pipeline(
    String owner,
    String name,
    Map<String, Object> task,
    List<Step> steps,
    List<String> features,
    Map<String, Object> split,
    Map<String, Object> autoTuning,
    Map<String, Object> training,
    List<Candidate> candidates,
    long createdAt) {

    /** What {@code exists} calls it, after GDS's "Link prediction training pipeline". */
    public static final String TYPE = "Recommendation training pipeline";

    public static Pipeline empty(String owner, String name, long createdAt) {
        return new Pipeline(owner, name, Map.of(), List.of(), List.of(), SplitConfig.defaults(), AutoTuningConfig.defaults(),
            TrainingConfig.defaults(), List.of(), createdAt);
    }

    public Pipeline withTask(Map<String, Object> other) {
        return new Pipeline(owner, name, other, steps, features, split, autoTuning, training, candidates, createdAt);
    }

    public Pipeline withStep(Step step) {
        return new Pipeline(owner, name, task, plus(steps, step), features, split, autoTuning, training, candidates, createdAt);
    }

    /** Adds what is not there yet, in the order given. */
    public Pipeline withFeatures(List<String> more) {
        var all = new ArrayList<>(features);
        more.stream().filter(feature -> !all.contains(feature)).forEach(all::add);
        return new Pipeline(owner, name, task, steps, List.copyOf(all), split, autoTuning, training, candidates, createdAt);
    }

    public Pipeline withSplit(Map<String, Object> other) {
        return new Pipeline(owner, name, task, steps, features, other, autoTuning, training, candidates, createdAt);
    }

    public Pipeline withAutoTuning(Map<String, Object> other) {
        return new Pipeline(owner, name, task, steps, features, split, other, training, candidates, createdAt);
    }

    public Pipeline withTraining(Map<String, Object> other) {
        return new Pipeline(owner, name, task, steps, features, split, autoTuning, other, candidates, createdAt);
    }

    public Pipeline withCandidate(Candidate candidate) {
        return new Pipeline(owner, name, task, steps, features, split, autoTuning, training, plus(candidates, candidate), createdAt);
    }

    private static <T> List<T> plus(List<T> list, T one) {
        var all = new ArrayList<>(list);
        all.add(one);
        return List.copyOf(all);
    }

    /** The configurations to be tried, by model, as GDS shows its parameter space. */
    public Map<String, Object> parameterSpace() {
        var space = new LinkedHashMap<String, Object>();
        for (var candidate : candidates) {
            @SuppressWarnings("unchecked")
            var configs = (List<Object>) space.computeIfAbsent(candidate.model(), model -> new ArrayList<Object>());
            configs.add(candidate.config());
        }
        return space;
    }

    /** What a job keeps of it. */
    public Map<String, Object> frozen() {
        var map = new LinkedHashMap<String, Object>();
        map.put("name", name);
        map.put("task", task);
        map.put("nodePropertySteps", steps.stream()
            .map(step -> Map.<String, Object>of("name", step.procedure(), "procedure", step.procedure(),
                "config", step.config())).toList());
        map.put("featureProperties", features);
        map.put("splitConfig", split);
        map.put("autoTuningConfig", autoTuning);
        map.put("trainingConfig", training);
        map.put("parameterSpace", candidates.stream()
            .map(candidate -> Map.<String, Object>of("model", candidate.model(), "config", candidate.config())).toList());
        return map;
    }
}
