// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamReader;
import io.gnn4j.arrow.Element;
import io.gnn4j.arrow.InvalidArrow;
import io.gnn4j.config.ConfigMap;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Node properties that a client sent: Arrow streams with the columns {@code nodeId} int64, perhaps {@code key} (int64 or
 * utf8), and one column for each property. Node ids ascend over all batches, so that a node comes once and batches that
 * are written side by side never wait for each other. A null is a missing value.
 */
public final class NodeRows {
    public static final String NODE_ID = "nodeId";
    public static final String KEY = "key";

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_]{1,256}");

    private final List<ArrowBatch> batches;
    private final List<Column> columns;
    private final int idColumn;
    /** Null where none was sent. */
    private final Column key;
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

    private NodeRows(List<ArrowBatch> batches, List<Column> columns, int idColumn, Column key, long rows) {
        this.batches = batches;
        this.columns = columns;
        this.idColumn = idColumn;
        this.key = key;
        this.rows = rows;
    }

    /**
     * Reads and checks everything. The record batches are copies: the bytes are held twice until the caller's are free.
     *
     * @param arrow BYTES, or a list of them; each a whole Arrow stream, all of one schema
     * @param nodeProperty the name for the only value column; null names properties after their columns
     * @throws InvalidArrow with what is wrong
     */
    public static NodeRows read(Object arrow, String nodeProperty) {
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
        int idColumn = position(fields, NODE_ID);
        if (idColumn < 0 || fields.get(idColumn).element() != Element.INT64 || fields.get(idColumn).isList()) {
            throw new InvalidArrow("The Arrow stream needs a column `nodeId` int64; found: " + describe(fields) + ".");
        }
        int keyColumn = position(fields, KEY);
        if (keyColumn >= 0 && (fields.get(keyColumn).isList() || fields.get(keyColumn).element() != Element.INT64
            && fields.get(keyColumn).element() != Element.UTF8)) {
            throw new InvalidArrow("The column `key` must be int64 or utf8, but is " + fields.get(keyColumn).typeName() + ".");
        }
        var columns = columns(fields, idColumn, keyColumn, nodeProperty);
        var key = keyColumn < 0 ? null : new Column(KEY, fields.get(keyColumn), keyColumn);
        return new NodeRows(batches, columns, idColumn, key, checkedIds(batches, idColumn));
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

    private static List<Column> columns(List<ArrowField> fields, int idColumn, int keyColumn, String nodeProperty) {
        var columns = new ArrayList<Column>();
        for (int f = 0; f < fields.size(); f++) {
            if (f != idColumn && f != keyColumn) {
                var field = fields.get(f);
                columns.add(new Column(nodeProperty == null ? field.name() : nodeProperty, field, f));
            }
        }
        if (columns.isEmpty()) {
            throw new InvalidArrow("The Arrow stream has no column with values; found: " + describe(fields) + ".");
        }
        if (nodeProperty != null && columns.size() > 1) {
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

    private static long checkedIds(List<ArrowBatch> batches, int idColumn) {
        long last = -1;
        long rows = 0;
        for (var batch : batches) {
            for (int row = 0; row < batch.rows(); row++, rows++) {
                long id = batch.isNull(idColumn, row) ? -1 : batch.longAt(idColumn, row);
                if (id <= last) {
                    throw new InvalidArrow("Row " + rows + " has nodeId " + (id < 0 ? "below 0 or null" : id)
                        + (last < 0 ? "" : " after " + last) + ". Sort the rows by nodeId, each node once.");
                }
                last = id;
            }
        }
        return rows;
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

    public long nodeId(ArrowBatch batch, int row) {
        return batch.longAt(idColumn, row);
    }

    public boolean hasKeys() {
        return key != null;
    }

    /** Null, Long or String. */
    public Object key(ArrowBatch batch, int row) {
        return key.value(batch, row);
    }
}
