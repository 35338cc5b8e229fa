// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.util.List;

/** A {@code padded-blocks/1} model: sampled surroundings in, vectors of the seeds out. For one thread. */
public interface BlocksModel {
    /** D, the length of a vector. */
    int dimension();

    /**
     * @param seeds B, at least 1
     * @param inputs those of the model's signature
     * @return [B, D] row-major, finite
     * @throws IllegalArgumentException when the inputs take more memory than one run may
     * @throws IllegalStateException when the model fails or gives a value that is not finite
     */
    float[] encode(int seeds, List<InputTensor> inputs);

    /** For another thread: the run at hand, if any, and all that follow fail soon. */
    void end();
}
