// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.TensorData;
import java.util.Map;

/** {@link PairNetwork} by an ONNX model; the model is closed by whoever opened it. */
public final class OnnxPairNetwork implements PairNetwork {
    /** Floats in the candidates of one run: 64 MiB. */
    private static final int MAX_FLOATS = 16 << 20;

    private final OnnxModel model;
    private final int dimension;

    public OnnxPairNetwork(OnnxModel model, int dimension) {
        this.model = model;
        this.dimension = dimension;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    @Override
    public int maxCandidates() {
        return MAX_FLOATS / dimension;
    }

    @Override
    public float[] score(int sources, int candidates, float[] source, float[] candidate, float[] context) {
        var score = model.run(Map.of(
            "source", new TensorData("float32", new long[] {sources, dimension}, source, null, null),
            "candidate", new TensorData("float32", new long[] {sources, candidates, dimension}, candidate, null, null),
            "context", new TensorData("float32", new long[] {sources, dimension}, context, null, null))).get("score");
        return Outputs.finite("scores", score, sources, candidates);
    }
}
