// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

/**
 * The user side of an {@code item-propagation/1} model: the context vectors of what a user touched in, the user's own
 * vector out. Safe for use by many threads at once.
 */
public interface UserEncoder {
    /** D, the length of a context row and of a query. */
    int dimension();

    /**
     * @param users B, at least 1
     * @param history H, at least 1: the rows a user has room for
     * @param context [B, H, D] row-major – vectors c of the items read, in any order; unused rows are 0
     * @param weight [B, H] – reduced weight of the pair, at least 0; 0 marks an unused row
     * @param degree [B] – distinct neighbours of the user, also those that were not read; 0 gives the zero vector
     * @return [B, D] row-major, finite
     * @throws IllegalArgumentException when a length does not fit the sizes, or more than {@link #maxRows} rows are given
     * @throws IllegalStateException when the model fails or gives a value that is not finite
     */
    float[] encode(int users, int history, float[] context, float[] weight, float[] degree);

    /** The most B * H rows of one call: a bound on the memory a model can be made to take. */
    int maxRows();

    /** One user; {@code weight.length} rows, none at all for a user without history. */
    default float[] encode(float[] context, float[] weight, float degree) {
        if (weight.length == 0) {
            return new float[dimension()];
        }
        return encode(1, weight.length, context, weight, new float[] {degree});
    }
}
