// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.job.JobRequest;
import io.gnn4j.pipeline.AutoTuningConfig;
import io.gnn4j.pipeline.Candidate;
import io.gnn4j.pipeline.KnownModels;
import io.gnn4j.pipeline.Pipeline;
import io.gnn4j.pipeline.SplitConfig;
import io.gnn4j.pipeline.Step;
import io.gnn4j.pipeline.TrainConfig;
import io.gnn4j.pipeline.TrainingConfig;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.neo4j.graphdb.Transaction;

/**
 * A pipeline made ready to be trained: everything in it is checked again, since its node may have been edited, and held
 * against the projection; then it is frozen.
 */
public final class TrainRequest {
    private final Pipeline frozen;
    private final Task task;
    private final TrainConfig config;
    private final ProjectedGraph graph;

    private TrainRequest(Pipeline frozen, Task task, TrainConfig config, ProjectedGraph graph) {
        this.frozen = frozen;
        this.task = task;
        this.config = config;
        this.graph = graph;
    }

    /**
     * @param graph the projection to train on, or null
     * @throws InvalidConfiguration with all faults, each saying what to do next
     */
    public static TrainRequest of(Transaction tx, GraphCatalog graphs, Pipeline pipeline, TrainConfig config, ProjectedGraph graph) {
        var faults = new ArrayList<String>();
        if (graph != null && (config.every() != null || config.afterEvents() != null)) {
            faults.add("A schedule projects anew each time, but '" + graph.name() + "' is one projection. Give null as graphName.");
        }
        var given = config.task().isEmpty() ? pipeline.task() : config.task();
        if (given.isEmpty()) {
            throw new InvalidConfiguration(plus(faults, "Pipeline `" + pipeline.name() + "` has no task yet: what is recommended to whom."
                + " CALL gnn.pipeline.fromTask('" + pipeline.name() + "', {recommend: …, to: …, via: {…}}) gives it one."));
        }
        var split = collect(faults, () -> SplitConfig.parse(pipeline.split()));
        var completed = collect(faults, () -> TaskInDatabase.complete(tx, withHorizon(given, pipeline.split())));
        var tuning = collect(faults, () -> AutoTuningConfig.parse(pipeline.autoTuning()));
        var training = collect(faults, () -> {
            var all = new LinkedHashMap<>(pipeline.training());
            all.putAll(config.training());
            return TrainingConfig.parse(all);
        });
        var candidates = new ArrayList<Candidate>();
        for (var candidate : pipeline.candidates()) {
            collect(faults, () -> candidates.add(KnownModels.check(candidate.model(), candidate.config())));
        }
        if (pipeline.candidates().isEmpty()) {
            faults.add("Pipeline `" + pipeline.name() + "` has no model to try. Add one: CALL gnn.pipeline.addModel('" + pipeline.name()
                + "', '" + KnownModels.standard() + "').");
        }
        var steps = new ArrayList<Step>();
        var checker = new NodePropertySteps(tx, graphs);
        for (var step : pipeline.steps()) {
            collect(faults, () -> steps.add(checker.check(List.copyOf(steps), step.procedure(), step.config())));
        }
        if (completed == null || split == null) {
            throw new InvalidConfiguration(faults);
        }
        var task = Task.of(completed);
        var method = method(task, split, faults);
        if (graph != null) {
            checkProjection(graph, task, faults);
        }
        checkFeatures(tx, pipeline, task, graph, candidates, faults);
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var whole = new LinkedHashMap<>(split);
        whole.put("method", method);
        return new TrainRequest(new Pipeline(pipeline.owner(), pipeline.name(), completed, steps, pipeline.features(), whole, tuning,
            training, candidates, pipeline.createdAt()), task, config, graph);
    }

    private static List<String> plus(List<String> faults, String one) {
        faults.add(one);
        return faults;
    }

    private static <T> T collect(List<String> faults, Supplier<T> work) {
        try {
            return work.get();
        } catch (InvalidConfiguration wrong) {
            faults.addAll(wrong.faults());
            return null;
        }
    }

    private static Map<String, Object> withHorizon(Map<String, Object> task, Map<String, Object> split) {
        if (split.get("horizon") == null) {
            return task;
        }
        var changed = new LinkedHashMap<>(task);
        changed.put("horizon", split.get("horizon"));
        return changed;
    }

    /** What is named, or what suits the task. */
    private static String method(Task task, Map<String, Object> split, List<String> faults) {
        var method = (String) split.get("method");
        if (method == null) {
            return task.timeProperty() != null && task.horizon() != null ? "time" : task.timeProperty() != null ? "leave-last" : "random";
        }
        if (!method.equals("random") && task.timeProperty() == null) {
            faults.add("The split '" + method + "' needs times, but the task names no `timeProperty`. Name one, or CALL"
                + " gnn.pipeline.configureSplit(name, {method: 'random'}).");
        } else if (method.equals("time") && task.horizon() == null) {
            faults.add("The split 'time' needs a horizon, and neither task nor split names one: CALL gnn.pipeline.configureSplit(name,"
                + " {method: 'time', horizon: 'P30D'}).");
        }
        return method;
    }

    private static void checkProjection(ProjectedGraph graph, Task task, List<String> faults) {
        var labels = graph.labels();
        task.labels().stream()
            .filter(label -> !labels.contains(label)).forEach(label -> faults.add("The projection '" + graph.name() + "' has no nodes of"
                + " the task's label " + label + "." + Suggestion.sentence(label, labels) + " It has: " + words(labels)
                + ". Project again with that label, or train with null as graphName."));
        var types = graph.relationshipTypes();
        task.types().stream()
            .filter(type -> !types.contains(type)).forEach(type -> faults.add("The projection '" + graph.name() + "' has no relationships"
                + " of the task's type " + type + "." + Suggestion.sentence(type, types) + " It has: " + words(types)
                + ". Project again with that type, or train with null as graphName."));
    }

    private static String words(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private static void checkFeatures(
            Transaction tx, Pipeline pipeline, Task task, ProjectedGraph graph, List<Candidate> candidates, List<String> faults) {
        var known = new LinkedHashSet<String>();
        pipeline.steps().stream().map(Step::property).forEach(known::add);
        task.features().values().forEach(known::addAll);
        if (graph != null) {
            graph.labels().forEach(label -> graph.nodeProperties(label).forEach(property -> known.add(property.name())));
        } else {
            tx.getAllPropertyKeys().forEach(known::add);
        }
        for (var feature : pipeline.features()) {
            if (!known.contains(feature)) {
                faults.add("The selected feature `" + feature + "` is made by no step and is no node property of "
                    + (graph == null ? "the database" : "the projection '" + graph.name() + "'") + "."
                    + Suggestion.sentence(feature, known.stream().filter(java.util.Objects::nonNull).toList())
                    + " Add a step with that `mutateProperty`, or project it.");
            }
        }
        var none = pipeline.features().isEmpty() && pipeline.steps().isEmpty() && task.features().isEmpty();
        for (var candidate : candidates) {
            if (none && KnownModels.needsFeatures(candidate)) {
                var chosen = candidate.config().containsKey("identity");
                faults.add("Model '" + candidate.model() + "' " + (chosen ? "with `identity: false` " : "")
                    + "reads nothing but features, and there are none. Add a node property (CALL"
                    + " gnn.pipeline.addNodeProperty('" + pipeline.name() + "', 'fastRP', {mutateProperty: 'position',"
                    + " embeddingDimension: 64})), name `features` in the task, or "
                    + (chosen ? "leave `identity` out." : "try another model."));
            }
        }
    }

    public Task task() {
        return task;
    }

    public List<Candidate> candidates() {
        return frozen.candidates();
    }

    /** The job it makes. @param schedule name of the schedule that asks, or null */
    public JobRequest job(String schedule) {
        return new JobRequest(frozen.owner(), frozen.name(), ConfigJson.write("pipeline", frozen.frozen()), config.modelName(),
            graph == null ? null : graph.name(), graph == null ? null : graph.creationTime(),
            ConfigJson.write("configuration", config.shown()), schedule);
    }
}
