// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.util.Map;

/** {@link SequenceNetwork} by an ONNX model; the model is closed by whoever opened it. */
public final class OnnxSequenceNetwork extends OnnxNetwork implements SequenceNetwork {
    public OnnxSequenceNetwork(OnnxModel model, int dimension) {
        super(model, dimension);
    }

    @Override
    public float[] encode(int sources, int length, float[] history, float[] mask, float[] gap) {
        var query = model.run(Map.of(
            "history", tensor(history, sources, length, dimension),
            "mask", tensor(mask, sources, length),
            "gap", tensor(gap, sources, length))).get("query");
        return Outputs.finite("vectors", query, sources, dimension);
    }
}
