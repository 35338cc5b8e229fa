// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

/** The network of {@code pair/1}: how well each of some candidates suits a source. */
public interface PairNetwork {
    /** D, the length of a vector. */
    int dimension();

    /** Candidates of one run at most, of all its sources together. */
    int maxCandidates();

    /**
     * @param sources B, at least 1
     * @param candidates C, at least 1
     * @param source [B, D] row-major
     * @param candidate [B, C, D]
     * @param context [B, D]
     * @return [B, C], finite
     * @throws IllegalStateException when the model fails or gives what is no number
     */
    float[] score(int sources, int candidates, float[] source, float[] candidate, float[] context);
}
