// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

/** The network of {@code sequence/1}: the vector of a source from the order of what it touched. */
public interface SequenceNetwork {
    /** D, the length of a vector. */
    int dimension();

    /**
     * @param sources B, at least 1
     * @param length L, at least 1
     * @param history [B, L, D] row-major: vectors of items, oldest first, zeros behind the last
     * @param mask [B, L]: 1 where there is an item, else 0
     * @param gap [B, L]: log1p of the hours since the item before; 0 for the first, and where a time is missing
     * @return [B, D], finite
     * @throws IllegalStateException when the model fails or gives what is no number
     */
    float[] encode(int sources, int length, float[] history, float[] mask, float[] gap);
}
