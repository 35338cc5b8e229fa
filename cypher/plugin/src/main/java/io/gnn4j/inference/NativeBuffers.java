// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Native memory for the inputs of runs, given back and used again.
 *
 * <p>The JVM frees such memory by its collections and asks for one when there is none left, which Neo4j's own start script turns
 * off ({@code -XX:+DisableExplicitGC}): buffers made anew for each run would fill all there is while the heap is still young.
 */
final class NativeBuffers {
    private static final int SMALLEST = 12;
    private static final int LARGEST = 30;

    private final long keeps;
    private final List<Deque<ByteBuffer>> free = new ArrayList<>();
    private long kept;

    /** @param keeps bytes that lie ready at most */
    NativeBuffers(long keeps) {
        this.keeps = keeps;
        for (int power = SMALLEST; power <= LARGEST; power++) {
            free.add(new ArrayDeque<>());
        }
    }

    /** A buffer of this many bytes or more in native order, from 0 to them; what stands in it is anything. */
    ByteBuffer take(long bytes) {
        var power = Math.max(SMALLEST, Long.SIZE - Long.numberOfLeadingZeros(Math.max(1, bytes) - 1));
        if (power > LARGEST) {
            throw new IllegalArgumentException("A tensor of " + bytes + " bytes is more than one run takes, " + (1L << LARGEST) + ".");
        }
        ByteBuffer buffer;
        synchronized (this) {
            buffer = free.get(power - SMALLEST).poll();
            if (buffer != null) {
                kept -= buffer.capacity();
            }
        }
        if (buffer == null) {
            buffer = ByteBuffer.allocateDirect(1 << power);
        }
        return buffer.clear().limit((int) bytes).order(ByteOrder.nativeOrder());
    }

    /** Nobody reads it any more. @param buffer as {@link #take} gave it */
    synchronized void giveBack(ByteBuffer buffer) {
        if (kept + buffer.capacity() <= keeps) {
            kept += buffer.capacity();
            free.get(Integer.numberOfTrailingZeros(buffer.capacity()) - SMALLEST).push(buffer);
        }
    }
}
