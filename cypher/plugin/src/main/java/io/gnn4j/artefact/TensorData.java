// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

/**
 * A tensor with its values, row-major; exactly one of the three arrays is set, as {@code dtype} says.
 *
 * @param shape sizes, all at least 0, whose product is the length of the array
 */
public record TensorData(String dtype, long[] shape, float[] floats, long[] longs, boolean[] booleans) {}
