// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamReader;
import io.gnn4j.arrow.Element;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.config.Suggestion;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads {@code vectors.arrow} and lays its vectors beside the nodes that have their keys.
 *
 * @param vectors [rows][D] – null where a node has no vector
 * @param contexts as {@code vectors}; null unless asked for
 * @param matched vectors that found a node
 * @param unmatched vectors whose key no node has
 */
public record VectorJoin(float[][] vectors, float[][] contexts, long matched, long unmatched) {
    /** 65,536 rows of two vectors of the largest dimension, with long keys. */
    private static final int MOST_BODY = 1 << 30;

    /**
     * @param in closed afterwards
     * @param label what every row's {@code type} must be
     * @param keys of the nodes
     * @param rows how many nodes there are
     * @param withContext whether the column {@code context} is there
     * @throws ModelRefused with what is wrong with the file, or when no vector finds a node
     */
    public static VectorJoin read(
            java.io.InputStream in, String label, KeyIndex keys, int rows, int dimension, boolean withContext, Runnable guard) {
        try (var reader = new ArrowStreamReader(in, MOST_BODY)) {
            var columns = columns(reader.fields(), dimension, withContext);
            var vectors = new float[rows][];
            var contexts = withContext ? new float[rows][] : null;
            var matched = 0L;
            var unmatched = 0L;
            Object example = null;
            for (var batch = reader.next(); batch.isPresent(); batch = reader.next()) {
                guard.run();
                var one = batch.get();
                for (int row = 0; row < one.rows(); row++) {
                    for (int column : columns.all()) {
                        if (one.isNull(column, row)) {
                            throw refused("Row " + row + " of a batch has a null; no value may be missing.");
                        }
                    }
                    var type = one.textAt(columns.type(), row);
                    if (!type.equals(label)) {
                        throw refused("It has a vector of type '" + type + "', but items are :" + label + "."
                            + Suggestion.sentence(type, List.of(label)));
                    }
                    var number = columns.numbers() ? one.longAt(columns.key(), row) : 0;
                    var text = columns.numbers() ? null : one.textAt(columns.key(), row);
                    var found = columns.numbers() ? keys.row(number) : keys.row(text);
                    example = example != null ? example : columns.numbers() ? (Object) number : text;
                    var vector = finite(one.floatsAt(columns.vector(), row), example);
                    var context = withContext ? finite(one.floatsAt(columns.context(), row), example) : null;
                    if (found < 0) {
                        unmatched++;
                        continue;
                    }
                    if (vectors[found] != null) {
                        throw refused("The key " + (columns.numbers() ? (Object) number : "'" + text + "'") + " stands twice.");
                    }
                    matched++;
                    vectors[found] = vector;
                    if (withContext) {
                        contexts[found] = context;
                    }
                }
            }
            if (matched == 0) {
                throw refused("None of its " + unmatched + " vectors belongs to a node: its keys are like " + shown(example)
                    + ", those of :" + label + " like " + shown(keys.example()) + ". Deploy the model to the graph it was trained on.");
            }
            return new VectorJoin(vectors, contexts, matched, unmatched);
        }
    }

    private static String shown(Object key) {
        return key == null ? "(there is none)" : key instanceof String ? "STRING '" + key + "'" : "INTEGER " + key;
    }

    private static float[] finite(float[] vector, Object key) {
        for (var value : vector) {
            if (!Float.isFinite(value)) {
                throw refused("A vector near key " + shown(key) + " has the value " + value + ".");
            }
        }
        return vector;
    }

    private static ModelRefused refused(String fault) {
        return new ModelRefused(Manifest.VECTORS_FILE, fault);
    }

    private record Columns(int type, int key, boolean numbers, int vector, int context) {
        int[] all() {
            return context < 0 ? new int[] {type, key, vector} : new int[] {type, key, vector, context};
        }
    }

    private static Columns columns(List<ArrowField> fields, int dimension, boolean withContext) {
        var wanted = new ArrayList<>(List.of("type", "key", "vector"));
        if (withContext) {
            wanted.add("context");
        }
        var found = fields.stream().map(ArrowField::name).toList();
        if (!new java.util.TreeSet<>(found).equals(new java.util.TreeSet<>(wanted)) || found.size() != wanted.size()) {
            throw refused("Its columns must be " + wanted + ", but are " + found + ".");
        }
        var faults = new ArrayList<String>();
        for (var field : fields) {
            var fits = switch (field.name()) {
                case "type" -> !field.isList() && field.element() == Element.UTF8;
                case "key" -> !field.isList() && (field.element() == Element.UTF8 || field.element() == Element.INT64);
                default -> field.width() == dimension && field.element() == Element.FLOAT32;
            };
            if (!fits) {
                faults.add("Column '" + field.name() + "' is " + field.typeName() + "; " + switch (field.name()) {
                    case "type" -> "utf8";
                    case "key" -> "int64 or utf8";
                    default -> "fixed_size_list<float32>[" + dimension + "]";
                } + " is expected.");
            }
        }
        if (!faults.isEmpty()) {
            throw new ModelRefused(Manifest.VECTORS_FILE, faults);
        }
        var key = found.indexOf("key");
        return new Columns(found.indexOf("type"), key, fields.get(key).element() == Element.INT64, found.indexOf("vector"),
            withContext ? found.indexOf("context") : -1);
    }
}
