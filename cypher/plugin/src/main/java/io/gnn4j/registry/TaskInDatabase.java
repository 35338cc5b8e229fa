// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.schema.ConstraintType;

/** A task held against what the database has: labels, relationship types, and keys that name one node each. */
public final class TaskInDatabase {
    /** What we write ourselves, and nobody recommends. */
    private static final Pattern OWN = Pattern.compile("Gnn[A-Z].*|GNN_.*|POINTS_TO|HAS_PART|HAS_LOG|TRAINED_BY|READ_BY|MADE|RECOMMENDED");

    private TaskInDatabase() {}

    /**
     * The task, its {@code key} completed where a label has exactly one uniqueness constraint on a single property.
     *
     * @throws InvalidConfiguration with all faults; where a key is ambiguous, with the candidates
     */
    public static Map<String, Object> complete(Transaction tx, Map<String, Object> raw) {
        var task = Task.of(raw);
        var faults = new ArrayList<String>();
        var labels = new TreeSet<String>();
        tx.getAllLabels().forEach(label -> labels.add(label.name()));
        var types = new TreeSet<String>();
        tx.getAllRelationshipTypes().forEach(type -> types.add(type.name()));
        var key = new LinkedHashMap<String, Object>(task.key());
        for (var label : task.labels()) {
            if (!labels.contains(label)) {
                faults.add(missing("label", label, labels));
            } else if (!key.containsKey(label)) {
                key(tx, label, key, faults);
            }
        }
        task.types().stream().filter(type -> !types.contains(type)).forEach(type -> faults.add(missing("relationship type", type, types)));
        if (task.timeProperty() != null) {
            var properties = new TreeSet<String>();
            tx.getAllPropertyKeys().forEach(properties::add);
            if (!properties.contains(task.timeProperty())) {
                faults.add("`timeProperty` is '" + task.timeProperty() + "', but nothing in this database has such a property."
                    + Suggestion.sentence(task.timeProperty(), properties) + " Name the one in which relationships keep their time, in"
                    + " epoch milliseconds, or leave it out.");
            }
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var completed = new LinkedHashMap<>(raw);
        completed.put("key", key);
        return completed;
    }

    private static void key(Transaction tx, String label, Map<String, Object> key, List<String> faults) {
        var candidates = StreamSupport.stream(tx.schema().getConstraints(Label.label(label)).spliterator(), false)
            .filter(found -> found.isConstraintType(ConstraintType.UNIQUENESS) || found.isConstraintType(ConstraintType.NODE_KEY))
            .map(found -> StreamSupport.stream(found.getPropertyKeys().spliterator(), false).toList())
            .filter(properties -> properties.size() == 1).map(properties -> properties.get(0)).distinct().sorted().toList();
        if (candidates.size() == 1) {
            key.put(label, candidates.get(0));
        } else if (candidates.isEmpty()) {
            faults.add("`key` is not given for :" + label + ", and no single property of it is unique. Create a constraint (CREATE"
                + " CONSTRAINT FOR (n:" + label + ") REQUIRE n.id IS UNIQUE, say), which names the key.");
        } else {
            faults.add("`key` is not given for :" + label + ", and several properties of it are unique: " + String.join(", ", candidates)
                + ". Name one, as `key: {" + label + ": '" + candidates.get(0) + "'}`.");
        }
    }

    private static String missing(String what, String name, TreeSet<String> all) {
        var known = all.stream().filter(one -> !OWN.matcher(one).matches()).toList();
        return "There is no " + what + " '" + name + "' in this database." + Suggestion.sentence(name, known)
            + " Known: " + (known.isEmpty() ? "none; ingest data first" : String.join(", ", known)) + ".";
    }
}
