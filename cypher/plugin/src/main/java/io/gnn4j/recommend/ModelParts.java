// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.function.LongFunction;

/**
 * What models bring to a call: at most one of vectors and ranking, and a second stage.
 *
 * @param vectors null unless vectors are compared
 * @param ranked what is asked in place of vectors by a model that has none, else null
 * @param reranker null: there is no second stage
 * @param itemVectors vectors of items by id, null where there is none; asked only where diversity is wanted
 */
public record ModelParts(VectorModel vectors, RankedModel ranked, Reranker reranker, LongFunction<float[]> itemVectors) {
    /** What is needed to answer by vectors. */
    public record VectorModel(SourceEncoder encoder, VectorTable table, boolean cosine, ExactScan scan) {}
}
