// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.BlockSchema;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * {@link BlocksModel} by an ONNX model, which is closed by whoever opened it and may serve many of these.
 *
 * <p>Native memory is kept from one run to the next: asking the JVM for it anew each time ends in full collections.
 */
public final class OnnxBlocksModel implements BlocksModel {
    /** All inputs of one run together: a bound on the memory a batch can be made to take. */
    public static final long MAX_INPUT_BYTES = 1L << 30;

    private final OnnxModel model;
    private final int dimension;
    private final Map<String, ByteBuffer> kept = new HashMap<>();
    private final RunSwitch ending = new RunSwitch();

    public OnnxBlocksModel(OnnxModel model, int dimension) {
        this.model = model;
        this.dimension = dimension;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public float[] encode(int seeds, List<InputTensor> inputs) {
        var bytes = inputs.stream().mapToLong(InputTensor::bytes).sum();
        if (bytes > MAX_INPUT_BYTES) {
            throw new IllegalArgumentException("A batch of " + seeds + " seeds takes " + (bytes >> 20) + " MB of tensors, but at most "
                + (MAX_INPUT_BYTES >> 20) + " MB are allowed. Use a smaller `batchSize`.");
        }
        var buffers = new HashMap<String, ByteBuffer>();
        for (var input : inputs) {
            var buffer = buffer(input.name(), (int) input.bytes());
            input.writer().accept(buffer);
            buffers.put(input.name(), buffer.rewind());
        }
        var found = model.run(inputs, buffers, ending).get(BlockSchema.OUTPUT);
        if (!Arrays.equals(found.shape(), new long[] {seeds, dimension})) {
            throw new IllegalStateException("The model gave vectors of shape " + Arrays.toString(found.shape()) + " where [" + seeds
                + ", " + dimension + "] was expected.");
        }
        for (var value : found.floats()) {
            if (!Float.isFinite(value)) {
                throw new IllegalStateException("The model gave a vector with the value " + value + ".");
            }
        }
        return found.floats();
    }

    @Override
    public void end() {
        ending.off();
    }

    private ByteBuffer buffer(String name, int bytes) {
        var buffer = kept.get(name);
        if (buffer == null || buffer.capacity() < bytes) {
            int capacity = (int) Math.min(Integer.MAX_VALUE - 8, bytes + bytes / 4L + 64);
            buffer = ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder());
            kept.put(name, buffer);
        }
        // A duplicate forgets the order of bytes.
        return buffer.duplicate().limit(bytes).slice().order(ByteOrder.nativeOrder());
    }
}
