// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.TensorData;

/** What networks over vectors of one width have in common; the model is closed by whoever opened it. */
abstract class OnnxNetwork {
    /** Floats in the largest tensor of one run: 64 MiB. */
    static final int MAX_FLOATS = 16 << 20;

    final OnnxModel model;
    final int dimension;

    OnnxNetwork(OnnxModel model, int dimension) {
        this.model = model;
        this.dimension = dimension;
    }

    /** Floats in each vector. */
    public int dimension() {
        return dimension;
    }

    static TensorData tensor(float[] values, long... shape) {
        return new TensorData("float32", shape, values, null, null);
    }
}
