// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.neighbour;

import io.gnn4j.arrow.ArrowBatch;
import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamReader;
import io.gnn4j.arrow.Element;
import io.gnn4j.arrow.InvalidArrow;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.collections.impl.list.mutable.primitive.FloatArrayList;
import org.eclipse.collections.impl.list.mutable.primitive.IntArrayList;

/** Reads {@code weights.arrow} and {@code lists.arrow}; docs/formats.md section 2 is the contract. The bytes are not trusted. */
public final class NodeRowsFile {
    static final int ROWS_PER_BATCH = 65_536;
    static final int ENTRIES_PER_BATCH = 1 << 22;
    /** A batch of long keys, or one row with very many entries. */
    private static final int MOST_BODY = 1 << 30;
    private static final int MOST = Integer.MAX_VALUE - 8;

    private final Manifest manifest;
    private final String file;
    private final List<String> labels = new ArrayList<>();
    private final List<String> types = new ArrayList<>();
    private final List<Object> keys = new ArrayList<>();
    private final IntArrayList starts = new IntArrayList();
    private final IntArrayList targets = new IntArrayList();
    private final FloatArrayList values = new FloatArrayList();
    private boolean numbers;

    private NodeRowsFile(Manifest manifest) {
        this.manifest = manifest;
        file = fileOf(manifest);
        labels.add(String.valueOf(manifest.task().get("recommend")));
        if (Manifest.LISTS.equals(manifest.contract()) && !manifest.isOneSided()) {
            labels.add(String.valueOf(manifest.task().get("to")));
        }
        starts.add(0);
    }

    public static String fileOf(Manifest manifest) {
        return Manifest.LISTS.equals(manifest.contract()) ? Manifest.LISTS_FILE : Manifest.WEIGHTS_FILE;
    }

    /** The most that reading and keeping the file can take, told from its size. */
    public static long bytes(Manifest manifest) {
        // An entry has 8 bytes in the file and in memory; a row at least 4 for its label, 8 for its key and 8 for where its lists end.
        var size = manifest.part(fileOf(manifest)).bytes();
        return NodeRows.bytes(size / 20, 0) + 3 * size;
    }

    /**
     * @param in closed afterwards
     * @param guard throws when the call is ended
     * @throws ModelRefused with what is wrong with the file
     */
    public static NodeRows read(Manifest manifest, InputStream in, Runnable guard) {
        var one = new NodeRowsFile(manifest);
        try (var reader = new ArrowStreamReader(in, MOST_BODY)) {
            one.checkColumns(reader.fields());
            for (var batch = reader.next(); batch.isPresent(); batch = reader.next()) {
                guard.run();
                one.add(batch.get());
            }
            return one.finish(guard);
        } catch (InvalidArrow wrong) {
            throw one.refused(wrong.getMessage());
        }
    }

    private ModelRefused refused(String fault) {
        return new ModelRefused(file, fault);
    }

    private void checkColumns(List<ArrowField> fields) {
        var wanted = List.of("type", "key", "target", Manifest.LISTS_FILE.equals(file) ? "score" : "weight");
        var found = fields.stream().map(ArrowField::name).toList();
        if (!found.equals(wanted)) {
            throw refused("Its columns must be " + wanted + ", but are " + found + ".");
        }
        var faults = new ArrayList<String>();
        var kinds = List.of("utf8", "int64 or utf8", "list<int32>", "list<float32>");
        for (int c = 0; c < fields.size(); c++) {
            var field = fields.get(c);
            var fits = switch (c) {
                case 0 -> !field.isList() && field.element() == Element.UTF8;
                case 1 -> !field.isList() && (field.element() == Element.UTF8 || field.element() == Element.INT64);
                case 2 -> field.width() == ArrowField.VARIABLE && field.element() == Element.INT32;
                default -> field.width() == ArrowField.VARIABLE && field.element() == Element.FLOAT32;
            };
            if (!fits) {
                faults.add("Column '" + field.name() + "' is " + field.typeName() + "; " + kinds.get(c) + " is expected.");
            }
        }
        if (!faults.isEmpty()) {
            throw new ModelRefused(file, faults);
        }
        numbers = fields.get(1).element() == Element.INT64;
    }

    private void add(ArrowBatch batch) {
        if (batch.rows() > ROWS_PER_BATCH) {
            throw refused("A batch holds " + batch.rows() + " rows; at most " + ROWS_PER_BATCH + " are allowed.");
        }
        var entries = 0L;
        for (int row = 0; row < batch.rows(); row++) {
            for (int column = 0; column < 4; column++) {
                if (batch.isNull(column, row)) {
                    throw refused("Row " + row + " of a batch has a null; no value may be missing.");
                }
            }
            var type = batch.textAt(0, row);
            var label = labels.indexOf(type);
            if (label < 0) {
                throw refused("The type '" + type + "' has no place in it; expected: " + String.join(", ", labels) + ".");
            }
            types.add(labels.get(label));
            keys.add(numbers ? (Object) batch.longAt(1, row) : batch.textAt(1, row));
            var length = batch.length(2, row);
            if (length != batch.length(3, row)) {
                throw refused("The lists of the key " + keys.getLast() + " differ in length.");
            }
            entries += length;
            if ((long) targets.size() + length > MOST || keys.size() > MOST) {
                throw refused("It holds more than " + MOST + " entries.");
            }
            for (var target : batch.longsAt(2, row)) {
                targets.add((int) target);
            }
            for (var value : batch.floatsAt(3, row)) {
                if (!Float.isFinite(value)) {
                    throw refused("The row of the key " + keys.getLast() + " has the value " + value + ".");
                }
                values.add(value);
            }
            starts.add(targets.size());
        }
        if (batch.rows() > 1 && entries > ENTRIES_PER_BATCH) {
            throw refused("A batch holds " + entries + " entries; at most " + ENTRIES_PER_BATCH + " are allowed.");
        }
    }

    private NodeRows finish(Runnable guard) {
        var rows = keys.size();
        var seen = new int[rows];
        Arrays.fill(seen, -1);
        for (int row = 0; row < rows; row++) {
            if (row % ROWS_PER_BATCH == 0) {
                guard.run();
            }
            for (int at = starts.get(row); at < starts.get(row + 1); at++) {
                var target = targets.get(at);
                if (target < 0 || target >= rows) {
                    throw refused("The row of the key " + keys.get(row) + " names row " + target + "; there are " + rows + ".");
                }
                if (seen[target] == row) {
                    throw refused("The row of the key " + keys.get(row) + " names the key " + keys.get(target) + " twice.");
                }
                seen[target] = row;
            }
            checkList(row);
        }
        var byLabel = new LinkedHashMap<String, Object[]>();
        for (var label : labels) {
            var own = new Object[rows];
            for (int row = 0; row < rows; row++) {
                own[row] = types.get(row).equals(label) ? keys.get(row) : null;
            }
            byLabel.put(label, own);
        }
        try {
            return new NodeRows(byLabel, starts.toArray(), targets.toArray(), values.toArray());
        } catch (IllegalStateException twice) {
            throw refused("Two rows have the same type and key.");
        }
    }

    private void checkList(int row) {
        if (!Manifest.LISTS_FILE.equals(file)) {
            return;
        }
        var from = starts.get(row);
        var to = starts.get(row + 1);
        if (to > from && !types.get(row).equals(labels.getLast())) {
            throw refused("The key " + keys.get(row) + " is no :" + labels.getLast() + ", but has a list.");
        }
        for (int at = from; at < to; at++) {
            if (!types.get(targets.get(at)).equals(labels.getFirst())) {
                throw refused("The list of the key " + keys.get(row) + " names a node that is no :" + labels.getFirst() + ".");
            }
            if (at > from && values.get(at) > values.get(at - 1)) {
                throw refused("The list of the key " + keys.get(row) + " has a score above the one before it.");
            }
        }
    }

    /** The label and key property of every label that has rows. */
    public static Map<String, String> keyProperties(Manifest manifest) {
        var found = new LinkedHashMap<String, String>();
        new NodeRowsFile(manifest).labels.forEach(label -> {
            var node = manifest.schema().nodes().get(label);
            if (node == null) {
                throw new ModelRefused(Manifest.FILE, "`schema` names no key of :" + label + ".");
            }
            found.put(label, node.key());
        });
        return found;
    }
}
