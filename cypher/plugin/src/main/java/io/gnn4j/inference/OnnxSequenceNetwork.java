// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.TensorData;
import java.util.Map;

/** {@link SequenceNetwork} by an ONNX model; the model is closed by whoever opened it. */
public final class OnnxSequenceNetwork implements SequenceNetwork {
    private final OnnxModel model;
    private final int dimension;

    public OnnxSequenceNetwork(OnnxModel model, int dimension) {
        this.model = model;
        this.dimension = dimension;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public float[] encode(int sources, int length, float[] history, float[] mask, float[] gap) {
        var query = model.run(Map.of(
            "history", new TensorData("float32", new long[] {sources, length, dimension}, history, null, null),
            "mask", new TensorData("float32", new long[] {sources, length}, mask, null, null),
            "gap", new TensorData("float32", new long[] {sources, length}, gap, null, null))).get("query");
        return Outputs.finite("vectors", query, sources, dimension);
    }
}
