// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.Suggestion;
import io.gnn4j.pipeline.Candidate;
import io.gnn4j.pipeline.Pipeline;
import io.gnn4j.pipeline.Step;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;

/**
 * The pipelines of a user, as nodes, within the caller's transaction. Anyone may edit the nodes, so what is read is
 * checked again before it is trained.
 */
public final class Pipelines {
    static final Label PIPELINE = Label.label("GnnPipeline");

    private final Transaction tx;
    private final String owner;

    public Pipelines(Transaction tx, String owner) {
        this.tx = tx;
        this.owner = owner;
    }

    /** The user's pipelines by name. */
    public List<Pipeline> list() {
        return nodes().stream().map(Pipelines::read).sorted(Comparator.comparing(Pipeline::name)).toList();
    }

    public Optional<Pipeline> find(String name) {
        return node(name).map(Pipelines::read);
    }

    /** @throws IllegalArgumentException when the user has no pipeline of that name */
    public Pipeline get(String name) {
        return find(name).orElseThrow(() -> unknown(name));
    }

    /** @throws IllegalStateException when there is one of that name */
    public Pipeline create(Pipeline pipeline) {
        requireName(pipeline.name());
        lock(pipeline.name());
        if (node(pipeline.name()).isPresent()) {
            throw new IllegalStateException("Pipeline named `" + pipeline.name() + "` already exists. Drop it first, with CALL"
                + " gnn.pipeline.drop('" + pipeline.name() + "'), or take another name.");
        }
        var node = tx.createNode(PIPELINE);
        node.setProperty("owner", owner);
        node.setProperty("name", pipeline.name());
        node.setProperty("type", "recommendation");
        node.setProperty("createdAt", pipeline.createdAt());
        write(node, pipeline);
        return pipeline;
    }

    /** Changes a pipeline; of two calls at once the second sees what the first left. */
    public Pipeline change(String name, UnaryOperator<Pipeline> change) {
        lock(name);
        var node = node(name).orElseThrow(() -> unknown(name));
        var changed = change.apply(read(node));
        write(node, changed);
        return changed;
    }

    /** Removes a pipeline; its jobs and models stay. */
    public Optional<Pipeline> drop(String name, boolean failIfMissing) {
        lock(name);
        var node = node(name);
        if (node.isEmpty() && failIfMissing) {
            throw unknown(name);
        }
        var dropped = node.map(Pipelines::read);
        node.ifPresent(found -> {
            found.getRelationships().forEach(Relationship::delete);
            found.delete();
        });
        return dropped;
    }

    /** The node of a pipeline, for what hangs on it. */
    Optional<Node> node(String name) {
        return nodes().stream().filter(node -> name != null && name.equals(JobStore.text(node, "name"))).findFirst();
    }

    private void lock(String name) {
        NameLock.acquire(tx, "pipeline " + owner.length() + " " + owner + name);
    }

    private List<Node> nodes() {
        try (var found = tx.findNodes(PIPELINE, "owner", owner)) {
            return found.stream().filter(node -> JobStore.text(node, "name") != null)
                .sorted(Comparator.comparing(Node::getElementId)).toList();
        }
    }

    private IllegalArgumentException unknown(String name) {
        var own = list().stream().map(Pipeline::name).toList();
        return new IllegalArgumentException("Pipeline with name `" + name + "` does not exist"
            + (owner.isEmpty() ? "" : " for user `" + owner + "`") + "." + (name == null ? "" : Suggestion.sentence(name, own))
            + " Your pipelines: " + (own.isEmpty() ? "none; make one with CALL gnn.pipeline.fromTask(name, task)"
                : String.join(", ", own)) + ".");
    }

    private static void requireName(String name) {
        if (name == null || name.isBlank() || !name.equals(name.strip()) || name.length() > 200) {
            throw new IllegalArgumentException("A pipeline's name has 1 to 200 characters, no blanks at its ends, but "
                + (name == null ? "null" : "'" + name + "'") + " was given.");
        }
    }

    private static void write(Node node, Pipeline pipeline) {
        node.setProperty("task", ConfigJson.write("task", pipeline.task()));
        node.setProperty("steps", ConfigJson.write("nodePropertySteps", pipeline.steps().stream().map(step ->
            Map.of("name", step.procedure(), "procedure", step.procedure(), "config", step.config())).toList()));
        node.setProperty("features", pipeline.features().toArray(new String[0]));
        node.setProperty("split", ConfigJson.write("splitConfig", pipeline.split()));
        node.setProperty("autoTuning", ConfigJson.write("autoTuningConfig", pipeline.autoTuning()));
        node.setProperty("training", ConfigJson.write("trainingConfig", pipeline.training()));
        node.setProperty("models", ConfigJson.write("parameterSpace", pipeline.candidates().stream().map(candidate ->
            Map.of("name", candidate.model(), "config", candidate.config())).toList()));
    }

    private static Pipeline read(Node node) {
        var created = JobStore.number(node, "createdAt");
        return new Pipeline(JobStore.text(node, "owner"), JobStore.text(node, "name"), map(node, "task"),
            ConfigJson.readMaps("steps", JobStore.text(node, "steps")).stream()
                .map(step -> new Step(String.valueOf(step.get("procedure")), inner(step))).toList(),
            node.getProperty("features", null) instanceof String[] names ? List.of(names) : List.of(),
            map(node, "split"), map(node, "autoTuning"), map(node, "training"),
            ConfigJson.readMaps("models", JobStore.text(node, "models")).stream()
                .map(model -> new Candidate(String.valueOf(model.get("name")), inner(model))).toList(),
            created == null ? 0 : created);
    }

    private static Map<String, Object> map(Node node, String property) {
        return ConfigJson.readMap(property, JobStore.text(node, property));
    }

    private static Map<String, Object> inner(Map<String, Object> entry) {
        var config = new LinkedHashMap<String, Object>();
        if (entry.get("config") instanceof Map<?, ?> map) {
            map.forEach((key, value) -> config.put((String) key, value));
        }
        return config;
    }
}
