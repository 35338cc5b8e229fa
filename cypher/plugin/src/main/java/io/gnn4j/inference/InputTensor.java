// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * One input of a model, written straight into native memory.
 *
 * @param isFloat float32, else int64
 * @param shape sizes, at least 1 each
 * @param writer fills a buffer in native order, of {@link #bytes()} bytes, from its start; where its position stands afterwards
 *     does not matter
 */
public record InputTensor(String name, boolean isFloat, long[] shape, Consumer<ByteBuffer> writer) {
    public long bytes() {
        var bytes = isFloat ? 4L : 8L;
        for (var size : shape) {
            bytes = Math.multiplyExact(bytes, size);
        }
        return bytes;
    }
}
