// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;

/**
 * Reads Arrow IPC streams that a client sent: {@code int32, int64, float32, float64, utf8, large_utf8}, and lists and
 * fixed-size lists of the four numbers. No dictionaries, no compression, no deeper nesting.
 *
 * <p>The bytes are not trusted: every length is checked against what is there before it is used.
 */
public final class ArrowStreamReader implements AutoCloseable {
    private static final int CONTINUATION = 0xFFFFFFFF;
    private static final int MOST_METADATA = 16 << 20;
    private static final int MOST_FIELDS = 10_000;
    /** "ARROW1", the mark of the Arrow file format. */
    private static final int FILE_MARK = 0x4F525241;

    private final InputStream in;
    private final int mostBodyBytes;
    private final List<Column> columns = new ArrayList<>();
    private final Map<String, String> metadata = new HashMap<>();
    private boolean ended;

    private record Header(Message message, byte headerType, long bodyLength) {}

    /** What a column is and how its bytes lie. */
    private record Column(ArrowField field, boolean wideOffsets) {}

    public static ArrowStreamReader of(byte[] bytes) {
        return new ArrowStreamReader(new ByteArrayInputStream(bytes), Integer.MAX_VALUE - 8);
    }

    /**
     * Reads the schema.
     *
     * @param in closed with the reader
     * @param mostBodyBytes a longer record batch is refused
     * @throws InvalidArrow when the bytes are no Arrow stream, or hold a type that is not supported
     */
    public ArrowStreamReader(InputStream in, int mostBodyBytes) {
        this.in = in;
        this.mostBodyBytes = mostBodyBytes;
        var message = nextMessage().orElseThrow(() -> new InvalidArrow("The Arrow stream is empty: it has no schema."));
        if (message.headerType() != MessageHeader.Schema) {
            throw new InvalidArrow("The Arrow stream does not begin with a schema.");
        }
        parsed(() -> {
            readSchema((Schema) message.message().header(new Schema()));
            return null;
        });
    }

    public List<ArrowField> fields() {
        return columns.stream().map(Column::field).toList();
    }

    /** Metadata of the schema. */
    public Map<String, String> metadata() {
        return Map.copyOf(metadata);
    }

    /** Position of a column, or -1. */
    public int column(String name) {
        for (int c = 0; c < columns.size(); c++) {
            if (columns.get(c).field().name().equals(name)) {
                return c;
            }
        }
        return -1;
    }

    /** The next record batch; empty at the end of the stream. Memory: its body. */
    public Optional<ArrowBatch> next() {
        if (ended) {
            return Optional.empty();
        }
        var found = nextMessage();
        if (found.isEmpty()) {
            ended = true;
            return Optional.empty();
        }
        var message = found.get();
        if (message.headerType() == MessageHeader.DictionaryBatch) {
            throw new InvalidArrow("The Arrow stream holds dictionary-encoded columns. Send plain columns.");
        }
        if (message.headerType() != MessageHeader.RecordBatch) {
            throw new InvalidArrow("The Arrow stream holds a message that is no record batch.");
        }
        long bodyLength = message.bodyLength();
        if (bodyLength < 0 || bodyLength > mostBodyBytes) {
            throw new InvalidArrow("A record batch of " + bodyLength + " bytes is more than the " + mostBodyBytes
                + " bytes allowed. Send smaller batches.");
        }
        var body = read((int) bodyLength, "the body of a record batch");
        return Optional.of(parsed(() -> readBatch((RecordBatch) message.message().header(new RecordBatch()), body)));
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private void readSchema(Schema schema) {
        if (schema.endianness() != Endianness.Little) {
            throw new InvalidArrow("The Arrow stream is big-endian. Send little-endian numbers.");
        }
        if (schema.fieldsLength() > MOST_FIELDS) {
            throw new InvalidArrow("The Arrow stream has " + schema.fieldsLength() + " columns; at most " + MOST_FIELDS + ".");
        }
        var names = new HashSet<String>();
        for (int f = 0; f < schema.fieldsLength(); f++) {
            var column = column(schema.fields(f));
            if (!names.add(column.field().name())) {
                throw new InvalidArrow("The Arrow stream has two columns `" + column.field().name() + "`.");
            }
            columns.add(column);
        }
        for (int k = 0; k < Math.min(schema.customMetadataLength(), MOST_FIELDS); k++) {
            var pair = schema.customMetadata(k);
            metadata.put(pair.key(), pair.value());
        }
    }

    private static Column column(Field field) {
        var name = field.name();
        if (name == null) {
            throw new InvalidArrow("A column of the Arrow stream has no name.");
        }
        if (field.dictionary() != null) {
            throw new InvalidArrow("Column `" + name + "` is dictionary-encoded. Send plain values.");
        }
        switch (field.typeType()) {
            case Type.Utf8:
                return new Column(new ArrowField(name, Element.UTF8, 0, field.nullable()), false);
            case Type.LargeUtf8:
                return new Column(new ArrowField(name, Element.UTF8, 0, field.nullable()), true);
            case Type.FixedSizeList:
                int width = ((FixedSizeList) field.type(new FixedSizeList())).listSize();
                if (width < 1) {
                    throw new InvalidArrow("Column `" + name + "` holds lists of width " + width + ".");
                }
                return new Column(new ArrowField(name, item(name, field), width, field.nullable()), false);
            case Type.List:
                return new Column(new ArrowField(name, item(name, field), ArrowField.VARIABLE, field.nullable()), false);
            case Type.LargeList:
                return new Column(new ArrowField(name, item(name, field), ArrowField.VARIABLE, field.nullable()), true);
            default:
                return new Column(new ArrowField(name, number(name, field), 0, field.nullable()), false);
        }
    }

    private static Element item(String name, Field list) {
        if (list.childrenLength() != 1) {
            throw new InvalidArrow("Column `" + name + "` is a list without an item type.");
        }
        return number(name, list.children(0));
    }

    private static Element number(String name, Field field) {
        if (field.typeType() == Type.Int) {
            var type = (Int) field.type(new Int());
            if (type.isSigned() && type.bitWidth() == 32) {
                return Element.INT32;
            }
            if (type.isSigned() && type.bitWidth() == 64) {
                return Element.INT64;
            }
        } else if (field.typeType() == Type.FloatingPoint) {
            var precision = ((FloatingPoint) field.type(new FloatingPoint())).precision();
            if (precision == Precision.SINGLE) {
                return Element.FLOAT32;
            }
            if (precision == Precision.DOUBLE) {
                return Element.FLOAT64;
            }
        }
        throw new InvalidArrow("Column `" + name + "` has a type that is not supported (" + Type.name(field.typeType())
            + "). Supported: int32, int64, float32, float64, utf8, and lists of these numbers.");
    }

    private ArrowBatch readBatch(RecordBatch batch, byte[] body) {
        if (batch.compression() != null) {
            throw new InvalidArrow("The Arrow stream is compressed. Write it without compression.");
        }
        long rows = batch.length();
        if (rows < 0 || rows > Integer.MAX_VALUE - 8) {
            throw new InvalidArrow("A record batch claims " + rows + " rows.");
        }
        var cursor = new Cursor(batch, body.length);
        var parts = new ArrayList<ArrowBatch.Part>();
        for (var column : columns) {
            parts.add(part(column, (int) rows, cursor, body));
        }
        return new ArrowBatch((int) rows, body, parts);
    }

    private static ArrowBatch.Part part(Column column, int rows, Cursor cursor, byte[] body) {
        var field = column.field();
        var node = cursor.node(field.name(), rows);
        int validity = cursor.validity(field.name(), node, rows);
        int offsets = -1;
        long entries = rows;
        if (field.width() == ArrowField.VARIABLE || field.element() == Element.UTF8) {
            int bytesEach = column.wideOffsets() ? 8 : 4;
            // A batch without rows may leave its offsets out.
            offsets = cursor.buffer(field.name(), rows == 0 ? 0 : bytesEach * (rows + 1L));
            entries = rows == 0 ? 0 : checkedOffsets(field.name(), body, offsets, rows, bytesEach);
        } else if (field.isFixedSizeList()) {
            entries = (long) rows * field.width();
        }
        int itemValidity = -1;
        if (field.isList()) {
            long missing = cursor.node(field.name(), entries);
            itemValidity = cursor.validity(field.name(), missing, entries);
        }
        int data = cursor.buffer(field.name(), field.element() == Element.UTF8 ? entries : entries * field.element().bytes());
        var part = new ArrowBatch.Part(field, column.wideOffsets(), validity, offsets, data);
        if (itemValidity >= 0) {
            refuseHoles(new ArrowBatch(rows, body, List.of(part)), field, body, itemValidity);
        }
        return part;
    }

    /** Values may be missing inside a list only where the whole list is: that is how writers fill such a row. */
    private static void refuseHoles(ArrowBatch batch, ArrowField field, byte[] body, int validity) {
        for (int row = 0; row < batch.rows(); row++) {
            int at = batch.start(0, row);
            int end = at + batch.length(0, row);
            for (; at < end; at++) {
                if ((body[validity + (at >> 3)] >> (at & 7) & 1) == 0 && !batch.isNull(0, row)) {
                    throw new InvalidArrow("Column `" + field.name() + "` has a missing value inside the list of row " + row + ".");
                }
            }
        }
    }

    private static long checkedOffsets(String name, byte[] body, int at, int rows, int bytesEach) {
        long last = -1;
        for (int i = 0; i <= rows; i++) {
            long offset = bytesEach == 4
                ? (int) ArrowStreamWriter.INT.get(body, at + 4 * i)
                : (long) ArrowStreamWriter.LONG.get(body, at + 8 * i);
            if (offset < 0 || offset < last ) {
                throw new InvalidArrow("Column `" + name + "` has offsets that do not ascend.");
            }
            last = offset;
        }
        return last;
    }

    /** Walks the nodes and buffers of one batch and checks them against the body. */
    private static final class Cursor {
        private final RecordBatch batch;
        private final int bodyLength;
        private int node;
        private int buffer;

        Cursor(RecordBatch batch, int bodyLength) {
            this.batch = batch;
            this.bodyLength = bodyLength;
        }

        /** Returns the number of missing values. */
        long node(String name, long atLeast) {
            if (node >= batch.nodesLength()) {
                throw new InvalidArrow("A record batch has no data for column `" + name + "`.");
            }
            var found = batch.nodes(node++);
            if (found.length() < atLeast || found.nullCount() < 0) {
                throw new InvalidArrow("Column `" + name + "` has " + found.length() + " values, but " + atLeast
                    + " are needed.");
            }
            return found.nullCount();
        }

        /** Where the bits are; -1 where nothing is missing. */
        int validity(String name, long nullCount, long values) {
            int at = buffer(name, nullCount > 0 ? (values + 7) / 8 : 0);
            return nullCount > 0 ? at : -1;
        }

        int buffer(String name, long atLeast) {
            if (buffer >= batch.buffersLength()) {
                throw new InvalidArrow("A record batch lacks a buffer of column `" + name + "`.");
            }
            var found = batch.buffers(buffer++);
            if (found.offset() < 0 || found.length() < atLeast || found.offset() > bodyLength
                || found.length() > bodyLength - found.offset()) {
                throw new InvalidArrow("A buffer of column `" + name + "` is " + found.length() + " bytes at "
                    + found.offset() + ", but " + atLeast + " bytes inside a body of " + bodyLength + " are needed.");
            }
            return (int) found.offset();
        }
    }

    private Optional<Header> nextMessage() {
        var mark = readInt();
        if (mark.isEmpty()) {
            return Optional.empty();
        }
        if (mark.get() == FILE_MARK) {
            throw new InvalidArrow("These bytes are an Arrow file. Send the Arrow IPC stream format.");
        }
        if (mark.get() != CONTINUATION) {
            throw new InvalidArrow("These bytes are no Arrow IPC stream.");
        }
        int length = readInt().orElseThrow(() -> new InvalidArrow("The Arrow stream ends inside a message."));
        if (length == 0) {
            return Optional.empty();
        }
        if (length < 0 || length > MOST_METADATA) {
            throw new InvalidArrow("A message of the Arrow stream claims " + length + " bytes of metadata.");
        }
        var buffer = ByteBuffer.wrap(read(length, "the metadata of a message")).order(ByteOrder.LITTLE_ENDIAN);
        return Optional.of(parsed(() -> {
            var message = Message.getRootAsMessage(buffer);
            return new Header(message, message.headerType(), message.bodyLength());
        }));
    }

    private Optional<Integer> readInt() {
        try {
            var four = in.readNBytes(4);
            if (four.length == 0) {
                return Optional.empty();
            }
            if (four.length < 4) {
                throw new InvalidArrow("The Arrow stream ends inside a message.");
            }
            return Optional.of((int) ArrowStreamWriter.INT.get(four, 0));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private byte[] read(int length, String what) {
        try {
            // Grows with what is there: a claimed length alone reserves nothing.
            var bytes = in.readNBytes(length);
            if (bytes.length < length) {
                throw new EOFException();
            }
            return bytes;
        } catch (EOFException end) {
            throw new InvalidArrow("The Arrow stream ends inside " + what + ".");
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private interface Parse<T> {
        T get();
    }

    /** Flatbuffers follow offsets without checks; what they hit out of bounds is a fault of the bytes. */
    private static <T> T parsed(Parse<T> parse) {
        try {
            return parse.get();
        } catch (InvalidArrow fault) {
            throw fault;
        } catch (RuntimeException | AssertionError fault) {
            throw new InvalidArrow("The metadata of the Arrow stream is broken (" + fault.getClass().getSimpleName() + ").");
        }
    }
}
