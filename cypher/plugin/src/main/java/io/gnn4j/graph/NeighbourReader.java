// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/**
 * Reads the neighbours of one source after another, for one thread.
 *
 * <p>They come in ascending index; parallel relationships in ascending order of their property values, the first
 * property first, so that the order is a matter of the data and not of how GDS loaded it.
 */
public interface NeighbourReader {
    /** Reads the neighbours of a source; returns how many. The arrays below are valid until the next call. */
    int read(int source);

    /** Indices of the neighbours; only the first {@code read(…)} are meant. */
    int[] targets();

    /** Values of the property at that position; NaN where missing. */
    double[] property(int position);
}
