// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.config.Suggestion;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.StreamSupport;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.schema.ConstraintType;

/** Whether this database has what a model was trained on: labels, unique keys, relationship types. */
final class LiveSchema {
    private LiveSchema() {}

    /** @throws ModelRefused naming everything that is missing */
    static void check(Transaction tx, Manifest.Schema schema) {
        var labels = new TreeSet<String>();
        tx.getAllLabels().forEach(label -> labels.add(label.name()));
        var types = new TreeSet<String>();
        tx.getAllRelationshipTypes().forEach(type -> types.add(type.name()));
        var faults = new ArrayList<String>();
        schema.nodes().forEach((label, node) -> {
            if (!labels.contains(label)) {
                faults.add(unknown("label", label, labels));
            } else if (!hasUniqueKey(tx, label, node.key())) {
                faults.add("There is no uniqueness constraint on " + node.key() + " of :" + label
                    + "; keys would not name one node. Create it: CREATE CONSTRAINT FOR (n:`" + label.replace("`", "``")
                    + "`) REQUIRE n.`" + node.key().replace("`", "``") + "` IS UNIQUE.");
            }
        });
        schema.relations().stream().map(Manifest.Relation::type).distinct().sorted()
            .filter(type -> !types.contains(type)).forEach(type -> faults.add(unknown("relationship type", type, types)));
        if (!faults.isEmpty()) {
            throw new ModelRefused("it does not fit this database", faults);
        }
    }

    private static String unknown(String what, String name, Set<String> known) {
        return "There is no " + what + " '" + name + "'." + Suggestion.sentence(name, known);
    }

    private static boolean hasUniqueKey(Transaction tx, String label, String key) {
        return StreamSupport.stream(tx.schema().getConstraints(Label.label(label)).spliterator(), false)
            .filter(found -> found.isConstraintType(ConstraintType.UNIQUENESS) || found.isConstraintType(ConstraintType.NODE_KEY))
            .anyMatch(found -> List.of(key).equals(StreamSupport.stream(found.getPropertyKeys().spliterator(), false).toList()));
    }
}
