// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamReader;
import io.gnn4j.arrow.Element;
import io.gnn4j.arrow.InvalidArrow;
import io.gnn4j.config.ConfigMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Properties that a client sent: Arrow streams with id columns int64, perhaps key columns (int64 or utf8), and one column
 * for each property. Ids ascend over all batches, the first id column first, so that a node or pair comes once and batches
 * that are written side by side seldom wait for each other. A null is a missing value.
 */
public final class PropertyRows {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_]{1,256}");

    private final List<ArrowBatch> batches;
    private final List<Column> columns;
    private final int[] ids;
    /** Null where a key was not sent. */
    private final Column[] keys;
    private final long rows;

    /** One property. */
    public record Column(String property, ArrowField field, int position) {
        /** Null, Long, Double, String, long[], float[] or double[]. */
        public Object value(ArrowBatch batch, int row) {
            if (batch.isNull(position, row)) {
                return null;
            }
            if (!field.isList()) {
                return switch (field.element()) {
                    case INT32, INT64 -> (Object) batch.longAt(position, row);
                    case FLOAT32, FLOAT64 -> (Object) batch.doubleAt(position, row);
                    case UTF8 -> batch.textAt(position, row);
                };
            }
            return switch (field.element()) {
                case FLOAT32 -> batch.floatsAt(position, row);
                case FLOAT64 -> batch.doublesAt(position, row);
                default -> batch.longsAt(position, row);
            };
        }
    }

    private PropertyRows(List<ArrowBatch> batches, List<Column> columns, int[] ids, Column[] keys, long rows) {
        this.batches = batches;
        this.columns = columns;
        this.ids = ids;
        this.keys = keys;
        this.rows = rows;
    }

    /**
     * Reads and checks everything. The record batches are copies: the bytes are held twice until the caller's are free.
     *
     * @param arrow BYTES, or a list of them; each a whole Arrow stream, all of one schema
     * @param property the name for the only value column; null names properties after their columns
     * @param idNames the columns that must be there
     * @param keyNames the columns that may be there
     * @throws InvalidArrow with what is wrong
     */
    public static PropertyRows read(Object arrow, String property, List<String> idNames, List<String> keyNames) {
        var batches = new ArrayList<ArrowBatch>();
        List<ArrowField> fields = null;
        for (var bytes : streams(arrow)) {
            try (var reader = ArrowStreamReader.of(bytes)) {
                if (fields != null && !sameTypes(fields, reader.fields())) {
                    throw new InvalidArrow("The Arrow streams of one call must have the same columns.");
                }
                fields = reader.fields();
                for (var batch = reader.next(); batch.isPresent(); batch = reader.next()) {
                    batches.add(batch.get());
                }
            }
        }
        if (fields == null) {
            throw new InvalidArrow("`arrow` is an empty list. Send at least one Arrow stream; it may be without rows.");
        }
        var ids = new int[idNames.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = position(fields, idNames.get(i));
            if (ids[i] < 0 || fields.get(ids[i]).element() != Element.INT64 || fields.get(ids[i]).isList()) {
                throw new InvalidArrow(
                    "The Arrow stream needs a column `" + idNames.get(i) + "` int64; found: " + describe(fields) + ".");
            }
        }
        var keys = new Column[keyNames.size()];
        for (int k = 0; k < keys.length; k++) {
            int position = position(fields, keyNames.get(k));
            if (position < 0) {
                continue;
            }
            var field = fields.get(position);
            if (field.isList() || field.element() != Element.INT64 && field.element() != Element.UTF8) {
                throw new InvalidArrow(
                    "The column `" + field.name() + "` must be int64 or utf8, but is " + field.typeName() + ".");
            }
            keys[k] = new Column(field.name(), field, position);
        }
        var columns = columns(fields, idNames, keyNames, property);
        return new PropertyRows(batches, columns, ids, keys, checkedIds(batches, ids, idNames));
    }

    private static List<byte[]> streams(Object arrow) {
        if (arrow instanceof byte[] bytes) {
            return List.of(bytes);
        }
        if (arrow instanceof List<?> list && list.stream().allMatch(byte[].class::isInstance)) {
            return list.stream().map(byte[].class::cast).toList();
        }
        throw new InvalidArrow("`arrow` must be BYTES or a list of them, but is " + ConfigMap.describe(arrow) + ".");
    }

    private static boolean sameTypes(List<ArrowField> left, List<ArrowField> right) {
        return describe(left).equals(describe(right));
    }

    private static String describe(List<ArrowField> fields) {
        return fields.isEmpty() ? "no columns"
            : String.join(", ", fields.stream().map(field -> field.name() + " " + field.typeName()).toList());
    }

    private static int position(List<ArrowField> fields, String name) {
        for (int f = 0; f < fields.size(); f++) {
            if (fields.get(f).name().equals(name)) {
                return f;
            }
        }
        return -1;
    }

    private static List<Column> columns(
            List<ArrowField> fields, List<String> idNames, List<String> keyNames, String property) {
        var columns = new ArrayList<Column>();
        for (int f = 0; f < fields.size(); f++) {
            var name = fields.get(f).name();
            if (!idNames.contains(name) && !keyNames.contains(name)) {
                columns.add(new Column(property == null ? name : property, fields.get(f), f));
            }
        }
        if (property != null && columns.size() != 1) {
            throw new InvalidArrow("`nodeProperty` names one property, but the Arrow stream has " + columns.size()
                + " columns with values: " + describe(fields) + ". Leave it out: properties are then named after columns.");
        }
        for (var column : columns) {
            if (!NAME.matcher(column.property()).matches()) {
                throw new InvalidArrow("'" + column.property() + "' cannot be the name of a property: letters A to Z, digits and"
                    + " underscores, at most 256.");
            }
        }
        return columns;
    }

    private static long checkedIds(List<ArrowBatch> batches, int[] ids, List<String> names) {
        var last = new long[ids.length];
        var found = new long[ids.length];
        Arrays.fill(last, -1);
        long rows = 0;
        for (var batch : batches) {
            for (int row = 0; row < batch.rows(); row++, rows++) {
                for (int i = 0; i < ids.length; i++) {
                    found[i] = batch.isNull(ids[i], row) ? -1 : batch.longAt(ids[i], row);
                    if (found[i] < 0) {
                        throw new InvalidArrow("Row " + rows + " has a " + names.get(i) + " below 0 or null.");
                    }
                }
                if (Arrays.compare(found, last) <= 0) {
                    throw new InvalidArrow("Row " + rows + " has " + String.join(", ", names) + " " + text(found) + " after "
                        + text(last) + ". Sort the rows by " + String.join(", then ", names) + ", each once.");
                }
                System.arraycopy(found, 0, last, 0, ids.length);
            }
        }
        return rows;
    }

    private static String text(long[] ids) {
        return String.join(", ", Arrays.stream(ids).mapToObj(Long::toString).toList());
    }

    public List<ArrowBatch> batches() {
        return batches;
    }

    public List<Column> columns() {
        return columns;
    }

    public long rows() {
        return rows;
    }

    /** The id of that position in the names given to {@link #read}. */
    public long id(int position, ArrowBatch batch, int row) {
        return batch.longAt(ids[position], row);
    }

    public boolean hasKey(int position) {
        return keys[position] != null;
    }

    /** Null, Long or String; null where the key column is absent. */
    public Object key(int position, ArrowBatch batch, int row) {
        return keys[position] == null ? null : keys[position].value(batch, row);
    }
}
