// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamWriter;
import io.gnn4j.arrow.Element;
import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Turns a projection into records of Arrow bytes, lazily and in the order of docs/formats.md.
 *
 * <p>Memory on the server: the translation of node ids (9 bytes a node, none for one type in ascending order), 4 bytes a
 * source node and relation for the degrees where there are several node types, the longest neighbour list and two records
 * for each thread. It does not grow with the number of relationships.
 */
public final class GraphExport {
    /** One row of the result. */
    public record Part(String kind, String name, int rows, byte[] arrow) {}

    private static final int RECORD_BYTES = 2 << 20;
    private static final int FORMAT = 1;

    private final ProjectedGraph graph;
    private final GraphExportConfig config;
    private final Runnable guard;
    private TypedGraph typed;

    /** @param guard throws when the caller's transaction was terminated; called often, from one thread */
    public GraphExport(ProjectedGraph graph, GraphExportConfig config, Runnable guard) {
        this.graph = graph;
        this.config = config;
        this.guard = guard;
    }

    /**
     * Numbers the nodes and counts the relationships now; the records are made as they are read.
     *
     * @throws InvalidConfiguration for names the projection does not have, all at once
     */
    public Stream<Part> stream() {
        checkNames();
        typed = graph.typed(config.nodeLabels(), config.labelPriority(), guard);
        var nodes = typed.types().stream().map(this::nodeTable).toList();
        var relations = relations().stream().map(this::relationTable).toList();
        var schema = schema(nodes, relations);
        var parts = new Chain<Callable<Part>>();
        parts.add(() -> List.<Callable<Part>>of(() -> schema).iterator());
        nodes.forEach(table -> parts.add(() -> nodeParts(table)));
        relations.forEach(table -> {
            if (config.isCsr()) {
                parts.add(() -> degreeParts(table));
            }
            parts.add(() -> relationshipParts(table));
        });
        Runnable check = () -> {
            guard.run();
            graph.requireCurrent();
        };
        return new Lookahead<>("gnn-export", config.concurrency(), parts, check).stream();
    }

    private void checkNames() {
        var faults = new ArrayList<String>();
        var labels = graph.labels();
        var types = graph.relationshipTypes();
        unknown("node label", config.nodeLabels(), labels, faults);
        unknown("node label", config.labelPriority(), labels, faults);
        unknown("relationship type", config.relationshipTypes(), types, faults);
        if (config.nodeProperties() != null) {
            var known = new TreeSet<String>();
            for (var label : config.nodeLabels().isEmpty() ? labels : config.nodeLabels()) {
                graph.nodeProperties(label).forEach(spec -> known.add(spec.name()));
            }
            unknown("node property", config.nodeProperties(), known, faults);
        }
        if (config.relationshipProperties() != null) {
            var known = new TreeSet<String>();
            for (var type : config.relationshipTypes().isEmpty() ? types : config.relationshipTypes()) {
                known.addAll(graph.relationshipProperties(type));
            }
            unknown("relationship property", config.relationshipProperties(), known, faults);
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
    }

    private void unknown(String kind, List<String> names, Collection<String> known, List<String> faults) {
        for (var name : names) {
            if (!known.contains(name)) {
                faults.add("Unknown " + kind + " '" + name + "' in graph `" + graph.name() + "`."
                    + Suggestion.sentence(name, known) + " Known: "
                    + (known.isEmpty() ? "none" : String.join(", ", known)) + ".");
            }
        }
    }

    /** Those that have relationships; a lone node type shows its empty types too, since there ends are plain. */
    private List<Relation> relations() {
        var found = typed.relations(config.relationshipTypes(), guard);
        if (typed.types().size() != 1) {
            return found;
        }
        var type = typed.types().get(0);
        var wanted = config.relationshipTypes().isEmpty() ? graph.relationshipTypes() : config.relationshipTypes();
        return wanted.stream().distinct().map(name -> new Relation(type, name, type)).toList();
    }

    // ---- nodes

    /** @param widths list length by column, 0 for scalars, {@link ArrowField#VARIABLE} where lengths differ */
    private record NodeTable(String type, int rows, List<NodeColumn> columns, int[] widths, ArrowStreamWriter writer) {}

    private NodeTable nodeTable(String type) {
        var columns = new ArrayList<NodeColumn>();
        var fields = new ArrayList<ArrowField>();
        fields.add(ArrowField.scalar("nodeId", Element.INT64));
        var specs = graph.nodeProperties(type).stream()
            .filter(spec -> config.nodeProperties() == null || config.nodeProperties().contains(spec.name())).toList();
        int rows = typed.nodeCount(type);
        var widths = new int[specs.size()];
        for (int c = 0; c < widths.length; c++) {
            var spec = specs.get(c);
            var column = typed.nodeProperty(type, spec.name());
            columns.add(column);
            widths[c] = spec.type().isArray() ? width(column, rows) : 0;
            fields.add(new ArrowField(spec.name(), element(spec.type()), widths[c], true));
        }
        return new NodeTable(type, rows, columns, widths, new ArrowStreamWriter(fields, Map.of()));
    }

    /** The common length of the lists; a column without any list counts as lists of differing length. */
    private int width(NodeColumn column, int rows) {
        int width = 0;
        for (int index = 0; index < rows; index++) {
            if (index % (1 << 14) == 0) {
                guard.run();
            }
            if (!column.isMissing(index)) {
                int length = column.length(index);
                if (length == 0 || width != 0 && length != width) {
                    return ArrowField.VARIABLE;
                }
                width = length;
            }
        }
        return width == 0 ? ArrowField.VARIABLE : width;
    }

    private static Element element(PropertyType type) {
        return switch (type) {
            case LONG, LONG_ARRAY -> Element.INT64;
            case DOUBLE, DOUBLE_ARRAY -> Element.FLOAT64;
            case FLOAT_ARRAY -> Element.FLOAT32;
        };
    }

    private Iterator<Callable<Part>> nodeParts(NodeTable table) {
        long rowBytes = 8;
        for (int c = 0; c < table.widths().length; c++) {
            // Lists of differing length are not measured before they are written: 64 values are supposed.
            int values = table.widths()[c] == ArrowField.VARIABLE ? 64 : Math.max(1, table.widths()[c]);
            rowBytes += (long) values * table.writer().fields().get(c + 1).element().bytes();
        }
        return ranges(table.rows(), batchRows(rowBytes), (from, rows) -> () -> nodePart(table, (int) from, rows));
    }

    private Part nodePart(NodeTable table, int from, int rows) {
        var values = new int[table.columns().size() + 1];
        for (int c = 0; c < table.columns().size(); c++) {
            if (table.widths()[c] == ArrowField.VARIABLE) {
                long total = 0;
                for (int row = 0; row < rows; row++) {
                    total += table.columns().get(c).length(from + row);
                }
                values[c + 1] = Math.toIntExact(total);
            }
        }
        var batch = table.writer().batch(rows, values);
        for (int row = 0; row < rows; row++) {
            batch.setLong(0, row, typed.nodeId(table.type(), from + row));
        }
        for (int c = 0; c < table.columns().size(); c++) {
            write(table.columns().get(c), table.widths()[c], batch, c + 1, from);
        }
        return new Part("nodes", table.type(), rows, batch.finish());
    }

    private static void write(NodeColumn column, int width, ArrowStreamWriter.Batch batch, int at, int from) {
        var type = column.spec().type();
        int end = 0;
        for (int row = 0; row < batch.rows(); row++) {
            int index = from + row;
            int start = width == ArrowField.VARIABLE ? end : row * width;
            switch (type) {
                case LONG -> {
                    long value = column.longAt(index);
                    batch.setLong(at, row, value);
                    if (value == Long.MIN_VALUE) {
                        batch.setNull(at, row);
                    }
                }
                case DOUBLE -> {
                    double value = column.doubleAt(index);
                    batch.setDouble(at, row, value);
                    if (Double.isNaN(value)) {
                        batch.setNull(at, row);
                    }
                }
                case FLOAT_ARRAY -> {
                    var list = column.floatsAt(index);
                    end += list(batch, at, row, list == null ? -1 : list.length);
                    if (list != null) {
                        batch.setFloats(at, start, list, 0, list.length);
                    }
                }
                case DOUBLE_ARRAY -> {
                    var list = column.doublesAt(index);
                    end += list(batch, at, row, list == null ? -1 : list.length);
                    if (list != null) {
                        batch.setDoubles(at, start, list, 0, list.length);
                    }
                }
                case LONG_ARRAY -> {
                    var list = column.longsAt(index);
                    end += list(batch, at, row, list == null ? -1 : list.length);
                    if (list != null) {
                        batch.setLongs(at, start, list, 0, list.length);
                    }
                }
                default -> throw new IllegalStateException("No way to write " + type + ".");
            }
            if (width == ArrowField.VARIABLE) {
                batch.setEnd(at, row, end);
            }
        }
    }

    /** Marks a missing list (length -1); returns how many values the row has. */
    private static int list(ArrowStreamWriter.Batch batch, int at, int row, int length) {
        if (length < 0) {
            batch.setNull(at, row);
            return 0;
        }
        return length;
    }

    // ---- relationships

    private record RelationTable(
        Relation relation, long rows, List<String> properties, ArrowStreamWriter degrees, ArrowStreamWriter writer) {}

    private RelationTable relationTable(Relation relation) {
        var properties = graph.relationshipProperties(relation.type()).stream()
            .filter(name -> config.relationshipProperties() == null || config.relationshipProperties().contains(name))
            .toList();
        var fields = new ArrayList<ArrowField>();
        if (!config.isCsr()) {
            fields.add(ArrowField.scalar("source", Element.INT32));
        }
        fields.add(ArrowField.scalar("target", Element.INT32));
        properties.forEach(name -> fields.add(new ArrowField(name, Element.FLOAT64, 0, true)));
        return new RelationTable(
            relation, typed.relationshipCount(relation, guard), properties,
            new ArrowStreamWriter(List.of(ArrowField.scalar("degree", Element.INT32)), Map.of()),
            new ArrowStreamWriter(fields, Map.of()));
    }

    private Iterator<Callable<Part>> degreeParts(RelationTable table) {
        var degrees = typed.degrees(table.relation(), guard);
        return ranges(degrees.length, batchRows(4), (from, rows) -> () -> {
            var batch = table.degrees().batch(rows);
            batch.setInts(0, 0, degrees, (int) from, rows);
            return new Part("relationships", table.relation().toString(), rows, batch.finish());
        });
    }

    private Iterator<Callable<Part>> relationshipParts(RelationTable table) {
        var degrees = typed.degrees(table.relation(), guard);
        // A reader serves one thread at a time and remembers the list it stands in, which the next record may go on with.
        var readers = new ConcurrentLinkedQueue<NeighbourReader>();
        long rowBytes = (config.isCsr() ? 4L : 8L) + 8L * table.properties().size();
        var start = new Object() {
            int source;
            int within;
        };
        return ranges(table.rows(), batchRows(rowBytes), (from, rows) -> {
            int firstSource = start.source;
            int firstWithin = start.within;
            int left = rows;
            while (left > 0) {
                int rest = degrees[start.source] - start.within;
                if (rest > left) {
                    start.within += left;
                    left = 0;
                } else {
                    left -= rest;
                    start.source++;
                    start.within = 0;
                }
            }
            return () -> {
                var found = readers.poll();
                var reader = found == null ? typed.neighbours(table.relation(), table.properties()) : found;
                var part = relationshipPart(table, degrees, reader, firstSource, firstWithin, rows);
                readers.add(reader);
                return part;
            };
        });
    }

    private Part relationshipPart(
            RelationTable table, int[] degrees, NeighbourReader reader, int firstSource, int firstWithin, int rows) {
        var batch = table.writer().batch(rows);
        int targetColumn = config.isCsr() ? 0 : 1;
        int source = firstSource;
        int within = firstWithin;
        for (int row = 0; row < rows; ) {
            int degree = degrees[source];
            if (degree > 0) {
                if (reader.read(source) != degree) {
                    throw new GraphChanged(graph.name());
                }
                int count = Math.min(degree - within, rows - row);
                batch.setInts(targetColumn, row, reader.targets(), within, count);
                for (int p = 0; p < table.properties().size(); p++) {
                    var values = reader.property(p);
                    batch.setDoubles(targetColumn + 1 + p, row, values, within, count);
                    for (int i = 0; i < count; i++) {
                        if (Double.isNaN(values[within + i])) {
                            batch.setNull(targetColumn + 1 + p, row + i);
                        }
                    }
                }
                if (!config.isCsr()) {
                    for (int i = 0; i < count; i++) {
                        batch.setInt(0, row + i, source);
                    }
                }
                row += count;
            }
            source++;
            within = 0;
        }
        return new Part("relationships", table.relation().toString(), rows, batch.finish());
    }

    // ---- schema

    private Part schema(List<NodeTable> nodes, List<RelationTable> relations) {
        var described = Map.of("format", FORMAT, "graphName", graph.name(),
            "creationTime", graph.creationTime().toInstant().toString(), "layout", config.layout(),
            "nodes", nodes.stream().map(GraphExport::described).toList(),
            "relationships", relations.stream().map(GraphExport::described).toList());
        var json = new String(CanonicalJson.write(described), StandardCharsets.UTF_8);
        return new Part("schema", graph.name(), 0, new ArrowStreamWriter(List.of(), Map.of("gnn", json)).schemaOnly());
    }

    private static Map<String, Object> described(NodeTable table) {
        var properties = new ArrayList<Map<String, Object>>();
        for (int c = 0; c < table.columns().size(); c++) {
            var spec = table.columns().get(c).spec();
            properties.add(property(spec.name(), spec.type(), table.widths()[c]));
        }
        return Map.of("name", table.type(), "rows", table.rows(), "properties", properties);
    }

    private static Map<String, Object> described(RelationTable table) {
        var relation = table.relation();
        return Map.of("name", relation.toString(), "source", relation.source(), "type", relation.type(), "target", relation.target(),
            "rows", table.rows(),
            "properties", table.properties().stream().map(name -> property(name, PropertyType.DOUBLE, 0)).toList());
    }

    private static Map<String, Object> property(String name, PropertyType type, int width) {
        return Map.of("name", name, "type", type.toString(), "width", width);
    }

    // ---- records

    private int batchRows(long rowBytes) {
        return config.batchSize() > 0 ? config.batchSize() : (int) Math.max(1, RECORD_BYTES / rowBytes);
    }

    private interface Range<T> {
        T of(long from, int rows);
    }

    /** Cuts rows into ranges, one after the other, when it is asked for them. */
    private static <T> Iterator<T> ranges(long total, int rowsEach, Range<T> range) {
        return new Iterator<>() {
            private long from;

            @Override
            public boolean hasNext() {
                return from < total;
            }

            @Override
            public T next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                int rows = (int) Math.min(rowsEach, total - from);
                var made = range.of(from, rows);
                from += rows;
                return made;
            }
        };
    }

    /** Iterators one after the other, each made when the one before it has ended. */
    private static final class Chain<T> implements Iterator<T> {
        private final ArrayList<Supplier<Iterator<T>>> suppliers = new ArrayList<>();
        private int next;
        private Iterator<T> current = List.<T>of().iterator();

        void add(Supplier<Iterator<T>> supplier) {
            suppliers.add(supplier);
        }

        @Override
        public boolean hasNext() {
            while (!current.hasNext() && next < suppliers.size()) {
                current = suppliers.set(next++, null).get();
            }
            return current.hasNext();
        }

        @Override
        public T next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return current.next();
        }
    }
}
