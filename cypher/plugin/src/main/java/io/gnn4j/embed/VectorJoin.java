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
        var vectors = new float[rows][];
        var contexts = withContext ? new float[rows][] : null;
        var counts = new long[2];
        var example = new Object[1];
        forEach(in, dimension, withContext, guard, (type, key, vector, context) -> {
            if (!type.equals(label)) {
                throw refused("It has a vector of type '" + type + "', but items are :" + label + "."
                    + Suggestion.sentence(type, List.of(label)));
            }
            example[0] = example[0] != null ? example[0] : key;
            var found = keys.row(key);
            if (found < 0) {
                counts[1]++;
                return;
            }
            if (vectors[found] != null) {
                throw refused("The key " + (key instanceof String ? "'" + key + "'" : key) + " stands twice.");
            }
            counts[0]++;
            vectors[found] = vector;
            if (withContext) {
                contexts[found] = context;
            }
        });
        if (counts[0] == 0) {
            throw noneMet(Manifest.VECTORS_FILE, counts[1], label, example[0], keys.example());
        }
        return new VectorJoin(vectors, contexts, counts[0], counts[1]);
    }

    /** A file of which no row has a node. @param theirs a key of a node, null where there is none */
    public static ModelRefused noneMet(String file, long rows, String label, Object mine, Object theirs) {
        return new ModelRefused(file, "None of its " + rows + " rows belongs to a node: its keys are like " + shown(mine) + ", those of :"
            + label + " like " + shown(theirs) + ". Deploy the model to the graph it was trained on.");
    }

    /** One row of the file. */
    public interface Row {
        /** @param key a Long or a String; @param context null unless the column is there */
        void accept(String type, Object key, float[] vector, float[] context);
    }

    /**
     * Every row of {@code vectors.arrow}, checked, one batch in memory.
     *
     * @param in closed afterwards
     * @throws ModelRefused with what is wrong with the file
     */
    public static void forEach(java.io.InputStream in, int dimension, boolean withContext, Runnable guard, Row each) {
        try (var reader = new ArrowStreamReader(in, MOST_BODY)) {
            var columns = columns(reader.fields(), dimension, withContext);
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
                    var key = columns.numbers() ? (Object) one.longAt(columns.key(), row) : one.textAt(columns.key(), row);
                    example = example != null ? example : key;
                    each.accept(one.textAt(columns.type(), row), key, finite(one.floatsAt(columns.vector(), row), example),
                        withContext ? finite(one.floatsAt(columns.context(), row), example) : null);
                }
            }
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
