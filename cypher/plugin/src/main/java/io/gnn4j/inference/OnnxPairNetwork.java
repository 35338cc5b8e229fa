// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.util.Map;

/** {@link PairNetwork} by an ONNX model; the model is closed by whoever opened it. */
public final class OnnxPairNetwork extends OnnxNetwork implements PairNetwork {
    public OnnxPairNetwork(OnnxModel model, int dimension) {
        super(model, dimension);
    }

    @Override
    public int maxCandidates() {
        return MAX_FLOATS / dimension;
    }

    @Override
    public float[] score(int sources, int candidates, float[] source, float[] candidate, float[] context) {
        var score = model.run(Map.of(
            "source", tensor(source, sources, dimension),
            "candidate", tensor(candidate, sources, candidates, dimension),
            "context", tensor(context, sources, dimension))).get("score");
        return Outputs.finite("scores", score, sources, candidates);
    }
}
