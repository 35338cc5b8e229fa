// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

import com.google.flatbuffers.FlatBufferBuilder;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Utf8;

/**
 * Writes Arrow IPC streams of at most one record batch straight into a byte array.
 *
 * <p>By hand, with the published flatbuffers schema and no Arrow allocator: those need a Netty whose buffers this server
 * does not have, and cost twice the time. One writer serves many streams of the same schema, from any thread.
 */
public final class ArrowStreamWriter {
    static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle FLOAT = MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle DOUBLE = MethodHandles.byteArrayViewVarHandle(double[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int CONTINUATION = 0xFFFFFFFF;
    private static final int END_BYTES = 8;

    private final List<ArrowField> fields;
    private final byte[] schemaMessage;

    public ArrowStreamWriter(List<ArrowField> fields, Map<String, String> metadata) {
        this.fields = List.copyOf(fields);
        schemaMessage = frame(schemaMetadata(this.fields, metadata));
    }

    public List<ArrowField> fields() {
        return fields;
    }

    /** A stream without a batch. */
    public byte[] schemaOnly() {
        var bytes = Arrays.copyOf(schemaMessage, schemaMessage.length + END_BYTES);
        INT.set(bytes, schemaMessage.length, CONTINUATION);
        return bytes;
    }

    /** A batch without text or lists of differing length. */
    public Batch batch(int rows) {
        return batch(rows, new int[fields.size()]);
    }

    /**
     * Lays out one batch; fill it, then call {@link Batch#finish()}.
     *
     * @param values for each column of text the bytes of all its values, for each column of lists of differing length
     *     the number of all their values; ignored for the others
     * @throws IllegalArgumentException when the stream would be longer than an array
     */
    public Batch batch(int rows, int[] values) {
        return new Batch(rows, values);
    }

    /** One stream being filled. For one thread. */
    public final class Batch {
        private final int rows;
        private final byte[] bytes;
        private final int metadataAt;
        private final int[] validityAt = new int[fields.size()];
        private final int[] offsetsAt = new int[fields.size()];
        private final int[] dataAt = new int[fields.size()];
        private final long[] nodeLengths;
        private final int[] nodeColumns;
        private final long[] bufferOffsets;
        private final long[] bufferLengths;
        private final int[] nulls = new int[fields.size()];
        private final long bodyBytes;

        private Batch(int rows, int[] values) {
            this.rows = rows;
            int nodes = 0;
            int buffers = 0;
            for (var field : fields) {
                nodes += field.isList() ? 2 : 1;
                buffers += field.isFixedSizeList() ? 3 : field.isList() ? 4 : field.element() == Element.UTF8 ? 3 : 2;
            }
            nodeLengths = new long[nodes];
            nodeColumns = new int[nodes];
            bufferOffsets = new long[buffers];
            bufferLengths = new long[buffers];
            long body = 0;
            int node = 0;
            int buffer = 0;
            var validity = new long[fields.size()];
            var offsets = new long[fields.size()];
            var data = new long[fields.size()];
            for (int c = 0; c < fields.size(); c++) {
                var field = fields.get(c);
                nodeLengths[node] = rows;
                nodeColumns[node++] = c;
                validity[c] = body;
                body = place(buffer++, body, field.nullable() ? (rows + 7L) / 8 : 0);
                var scalar = field.element();
                long entries = rows;
                if (field.width() == ArrowField.VARIABLE || scalar == Element.UTF8) {
                    offsets[c] = body;
                    body = place(buffer++, body, 4L * (rows + 1L));
                    entries = values[c];
                } else if (field.isFixedSizeList()) {
                    entries = (long) rows * field.width();
                }
                if (field.isList()) {
                    nodeLengths[node] = entries;
                    nodeColumns[node++] = -1;
                    body = place(buffer++, body, 0);
                }
                data[c] = body;
                body = place(buffer++, body, scalar == Element.UTF8 ? entries : entries * scalar.bytes());
            }
            bodyBytes = body;
            // The null counts change no length: a struct vector holds them.
            var metadata = frame(batchMetadata());
            var total = schemaMessage.length + metadata.length + body + END_BYTES;
            if (total > Integer.MAX_VALUE - 8) {
                throw new IllegalArgumentException("A batch of " + rows + " rows would take " + total
                    + " bytes, more than one value can hold. Use a smaller `batchSize`.");
            }
            bytes = new byte[(int) total];
            System.arraycopy(schemaMessage, 0, bytes, 0, schemaMessage.length);
            metadataAt = schemaMessage.length;
            int bodyAt = metadataAt + metadata.length;
            for (int c = 0; c < fields.size(); c++) {
                validityAt[c] = (int) (bodyAt + validity[c]);
                offsetsAt[c] = (int) (bodyAt + offsets[c]);
                dataAt[c] = (int) (bodyAt + data[c]);
                if (fields.get(c).nullable()) {
                    Arrays.fill(bytes, validityAt[c], validityAt[c] + (rows + 7) / 8, (byte) 0xFF);
                }
            }
            INT.set(bytes, bytes.length - END_BYTES, CONTINUATION);
        }

        private long place(int buffer, long at, long length) {
            bufferOffsets[buffer] = at;
            bufferLengths[buffer] = length;
            return (at + length + 7) & ~7L;
        }

        public int rows() {
            return rows;
        }

        /** Marks a value of a nullable column as missing. */
        public void setNull(int column, int row) {
            bytes[validityAt[column] + (row >> 3)] &= (byte) ~(1 << (row & 7));
            nulls[column]++;
        }

        /** Position {@code at} counts values: the row of a scalar, {@code row * width} on for a fixed-size list. */
        public void setInt(int column, int at, int value) {
            INT.set(bytes, dataAt[column] + (at << 2), value);
        }

        public void setInts(int column, int at, int[] source, int from, int count) {
            view(column, at, 4).asIntBuffer().put(source, from, count);
        }

        public void setLong(int column, int at, long value) {
            LONG.set(bytes, dataAt[column] + (at << 3), value);
        }

        public void setLongs(int column, int at, long[] source, int from, int count) {
            view(column, at, 8).asLongBuffer().put(source, from, count);
        }

        public void setFloats(int column, int at, float[] source, int from, int count) {
            view(column, at, 4).asFloatBuffer().put(source, from, count);
        }

        public void setDouble(int column, int at, double value) {
            DOUBLE.set(bytes, dataAt[column] + (at << 3), value);
        }

        public void setDoubles(int column, int at, double[] source, int from, int count) {
            view(column, at, 8).asDoubleBuffer().put(source, from, count);
        }

        public void setUtf8(int column, int at, byte[] text) {
            System.arraycopy(text, 0, bytes, dataAt[column] + at, text.length);
        }

        /** Where the values of a row of text or of a list of differing length end; rows in ascending order. */
        public void setEnd(int column, int row, int end) {
            INT.set(bytes, offsetsAt[column] + ((row + 1) << 2), end);
        }

        private ByteBuffer view(int column, int at, int bytesEach) {
            return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(dataAt[column] + at * bytesEach);
        }

        /** The whole stream; the batch is not to be written to afterwards. */
        public byte[] finish() {
            var metadata = frame(batchMetadata());
            System.arraycopy(metadata, 0, bytes, metadataAt, metadata.length);
            return bytes;
        }

        private FlatBufferBuilder batchMetadata() {
            var builder = new FlatBufferBuilder(512);
            RecordBatch.startBuffersVector(builder, bufferOffsets.length);
            for (int b = bufferOffsets.length - 1; b >= 0; b--) {
                Buffer.createBuffer(builder, bufferOffsets[b], bufferLengths[b]);
            }
            int buffers = builder.endVector();
            RecordBatch.startNodesVector(builder, nodeLengths.length);
            for (int n = nodeLengths.length - 1; n >= 0; n--) {
                FieldNode.createFieldNode(builder, nodeLengths[n], nodeColumns[n] < 0 ? 0 : nulls[nodeColumns[n]]);
            }
            int nodes = builder.endVector();
            RecordBatch.startRecordBatch(builder);
            RecordBatch.addLength(builder, rows);
            RecordBatch.addNodes(builder, nodes);
            RecordBatch.addBuffers(builder, buffers);
            int batch = RecordBatch.endRecordBatch(builder);
            builder.finish(Message.createMessage(
                builder, MetadataVersion.V5, MessageHeader.RecordBatch, batch, bodyBytes, 0));
            return builder;
        }
    }

    private static FlatBufferBuilder schemaMetadata(List<ArrowField> fields, Map<String, String> metadata) {
        var builder = new FlatBufferBuilder(1024);
        var offsets = new int[fields.size()];
        for (int c = 0; c < offsets.length; c++) {
            offsets[c] = field(builder, fields.get(c));
        }
        int fieldVector = Schema.createFieldsVector(builder, offsets);
        int keyValues = 0;
        if (!metadata.isEmpty()) {
            var pairs = metadata.entrySet().stream().sorted(Map.Entry.comparingByKey())
                .mapToInt(pair -> KeyValue.createKeyValue(
                    builder, builder.createString(pair.getKey()), builder.createString(pair.getValue())))
                .toArray();
            keyValues = Schema.createCustomMetadataVector(builder, pairs);
        }
        Schema.startSchema(builder);
        Schema.addFields(builder, fieldVector);
        if (keyValues != 0) {
            Schema.addCustomMetadata(builder, keyValues);
        }
        int schema = Schema.endSchema(builder);
        builder.finish(Message.createMessage(builder, MetadataVersion.V5, MessageHeader.Schema, schema, 0, 0));
        return builder;
    }

    private static int field(FlatBufferBuilder builder, ArrowField field) {
        if (!field.isList()) {
            return field(builder, field.name(), field.nullable(), typeType(field.element()), type(builder, field.element()), 0);
        }
        int item = field(builder, "item", false, typeType(field.element()), type(builder, field.element()), 0);
        int children = Field.createChildrenVector(builder, new int[] {item});
        if (field.isFixedSizeList()) {
            int type = FixedSizeList.createFixedSizeList(builder, field.width());
            return field(builder, field.name(), field.nullable(), Type.FixedSizeList, type, children);
        }
        org.apache.arrow.flatbuf.List.startList(builder);
        int type = org.apache.arrow.flatbuf.List.endList(builder);
        return field(builder, field.name(), field.nullable(), Type.List, type, children);
    }

    private static int field(FlatBufferBuilder builder, String name, boolean nullable, byte kind, int type, int children) {
        int text = builder.createString(name);
        // Readers want a vector of children even where there are none.
        int childVector = children == 0 ? Field.createChildrenVector(builder, new int[0]) : children;
        return Field.createField(builder, text, nullable, kind, type, 0, childVector, 0);
    }

    private static byte typeType(Element element) {
        return switch (element) {
            case INT32, INT64 -> Type.Int;
            case FLOAT32, FLOAT64 -> Type.FloatingPoint;
            case UTF8 -> Type.Utf8;
        };
    }

    private static int type(FlatBufferBuilder builder, Element element) {
        return switch (element) {
            case INT32 -> Int.createInt(builder, 32, true);
            case INT64 -> Int.createInt(builder, 64, true);
            case FLOAT32 -> FloatingPoint.createFloatingPoint(builder, Precision.SINGLE);
            case FLOAT64 -> FloatingPoint.createFloatingPoint(builder, Precision.DOUBLE);
            case UTF8 -> {
                Utf8.startUtf8(builder);
                yield Utf8.endUtf8(builder);
            }
        };
    }

    /** Continuation mark, length, metadata padded to 8 bytes. */
    private static byte[] frame(FlatBufferBuilder builder) {
        var metadata = builder.dataBuffer();
        int length = metadata.remaining();
        int padded = (length + 7) & ~7;
        var bytes = new byte[8 + padded];
        INT.set(bytes, 0, CONTINUATION);
        INT.set(bytes, 4, padded);
        metadata.get(bytes, 8, length);
        return bytes;
    }
}
