// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.SourceEncoder.Source;
import java.util.List;

/** {@code sequence/1} as a second stage: the vector that the order of the history makes, against those of the candidates. */
public final class SequenceScorer implements Reranker.Scorer {
    private final SourceEncoder encoder;
    private final VectorRows items;
    private final boolean cosine;

    public SequenceScorer(SourceEncoder encoder, VectorRows items, boolean cosine) {
        this.encoder = encoder;
        this.items = items;
        this.cosine = cosine;
    }

    @Override
    public double[] score(Source source, long[] context, long[] asked) {
        var query = encoder.encodeSources(List.of(source))[0];
        if (Recommender.isZero(query)) {
            return null;
        }
        var vectors = items.get(asked);
        var scores = new double[asked.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = vectors[i] == null ? Double.NaN : score(query, vectors[i]);
        }
        return scores;
    }

    private double score(float[] query, float[] vector) {
        var dot = 0.0;
        var queryLength = 0.0;
        var length = 0.0;
        for (int d = 0; d < query.length; d++) {
            dot += (double) query[d] * vector[d];
            queryLength += (double) query[d] * query[d];
            length += (double) vector[d] * vector[d];
        }
        return !cosine ? dot : length == 0 ? 0 : dot / (Math.sqrt(queryLength) * Math.sqrt(length));
    }
}
