// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.gnn4j.recommend.TopK.Hits;
import io.gnn4j.recommend.VectorTable.Block;
import io.gnn4j.recommend.VectorTable.Snapshot;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import org.eclipse.collections.api.set.primitive.LongSet;

/**
 * The best rows of a table for each of some queries: every row is looked at, nothing is approximate.
 *
 * <p>Scores are first computed in float32, and the best k + {@value #SPARE} are kept; a double sum in ascending dimension
 * decides score and order (score descending, then smaller id). A float32 dot product of length D errs by at most
 * s = g(D) * |q| * |x| with g(n) = n u / (1 - n u), u = 2^-24 (Higham, "Accuracy and Stability of Numerical Algorithms",
 * 2nd ed., section 3.1), so only rows within 2 s of row k can be among the best k: those are computed again, and where they
 * may be more than were kept, the table is read once more for all of them. The result always equals that of a scan in double.
 */
public final class ExactScan {
    static final int SPARE = 64;
    private static final float[] ZEROS = new float[VectorTable.LANES];
    private static final double UNIT = Math.scalb(1.0, -24);
    /** Four queries at once pay only by fused multiply-add: without it the loop is not vectorised, and slower than one by one. */
    private static final int TOGETHER = hasFusedMultiplyAdd() ? 4 : 1;

    private final Parallel parallel;

    public ExactScan(Parallel parallel) {
        this.parallel = parallel;
    }

    /**
     * @param vector [D], finite
     * @param k how many, at least 1
     * @param excluded ids that never come back
     */
    public record Query(float[] vector, int k, LongSet excluded) {}

    /**
     * @param cosine true: dot product over both lengths, 0 for a zero vector, in [-1, 1]; false: dot product
     * @return for each query its best rows, in order, k of them where there are so many
     */
    public List<Hits> best(Snapshot table, List<Query> queries, boolean cosine) {
        var scanned = scan(table, queries, cosine);
        var results = new Hits[queries.size()];
        parallel.map(results.length, () -> results, (all, i) ->
            all[i] = decide(table, queries.get(i), cosine, scanned[i].isFull(), scanned[i].drain()));
        return List.of(results);
    }

    /** The exact score of one row. */
    public static double score(Snapshot table, float[] query, int row, boolean cosine) {
        var block = table.blocks()[row / VectorTable.LANES];
        var lane = row % VectorTable.LANES;
        var dot = 0.0;
        for (int d = 0; d < query.length; d++) {
            dot += (double) query[d] * block.columns()[d][lane];
        }
        if (!cosine) {
            return dot;
        }
        var square = 0.0;
        var querySquare = 0.0;
        for (int d = 0; d < query.length; d++) {
            var value = block.columns()[d][lane];
            square += (double) value * value;
            querySquare += (double) query[d] * query[d];
        }
        return square == 0 || querySquare == 0 ? 0 : dot / (Math.sqrt(querySquare) * Math.sqrt(square));
    }

    private Hits decide(Snapshot table, Query query, boolean cosine, boolean full, Hits scanned) {
        if (scanned.size() == 0) {
            return scanned;
        }
        var slack = slack(table, query.vector(), cosine);
        var close = closeEnough(scanned, query.k(), 2 * slack);
        // A row is read from as many arrays as it has numbers: every row less counts.
        var exact = rescore(table, query, cosine, scanned, close);
        if (!full || close < scanned.size()) {
            return exact;
        }
        var worst = scanned.scores()[scanned.size() - 1];
        var last = exact.scores()[exact.size() - 1];
        // Any row that was left out has an exact score of at most worst + slack.
        return last > worst + slack ? exact : within(table, query, cosine, last - slack);
    }

    /** How many of the hits may be among the best k: the first k, and what follows within the margin. */
    private static int closeEnough(Hits hits, int k, double margin) {
        var count = Math.min(k, hits.size());
        var least = hits.scores()[count - 1] - margin;
        while (count < hits.size() && hits.scores()[count] >= least) {
            count++;
        }
        return count;
    }

    private Hits rescore(Snapshot table, Query query, boolean cosine, Hits hits, int count) {
        var best = new TopK(Math.min(query.k(), count));
        for (int i = 0; i < count; i++) {
            best.offer(score(table, query.vector(), hits.rows()[i], cosine), hits.ids()[i], hits.rows()[i]);
        }
        return best.drain();
    }

    private Hits within(Snapshot table, Query query, boolean cosine, double atLeast) {
        var best = new TopK(query.k());
        var sums = new float[4][VectorTable.LANES];
        var scaled = scaled(query.vector(), cosine);
        for (int b = 0; b < table.blocks().length; b++) {
            var block = table.blocks()[b];
            multiply(block, new float[][] {scaled}, 0, 1, sums);
            if (cosine) {
                scale(sums[0], block.inverseNorms());
            }
            for (int lane = 0; lane < VectorTable.LANES; lane++) {
                var id = block.ids()[lane];
                if (sums[0][lane] >= atLeast && id != VectorTable.EMPTY && !query.excluded().contains(id)) {
                    var row = b * VectorTable.LANES + lane;
                    best.offer(score(table, query.vector(), row, cosine), id, row);
                }
            }
        }
        return best.drain();
    }

    private static double slack(Snapshot table, float[] query, boolean cosine) {
        // A cosine is a dot product of unit vectors, with a few roundings more (both lengths, two factors).
        var n = (query.length + 8) * UNIT;
        var gamma = n / (1 - n);
        return gamma * (cosine ? 1 : norm(query) * table.largestNorm()) * 1.0001 + Float.MIN_NORMAL * query.length;
    }

    private TopK[] scan(Snapshot table, List<Query> queries, boolean cosine) {
        var vectors = new float[queries.size()][];
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] = scaled(queries.get(i).vector(), cosine);
        }
        var parts = parallel.map(table.blocks().length, () -> new Part(queries), (part, b) -> {
            var block = table.blocks()[b];
            for (int first = 0; first < vectors.length; first += TOGETHER) {
                var count = Math.min(TOGETHER, vectors.length - first);
                multiply(block, vectors, first, count, part.sums);
                for (int i = 0; i < count; i++) {
                    if (cosine) {
                        scale(part.sums[i], block.inverseNorms());
                    }
                    select(block, b, part.sums[i], part.best[first + i], queries.get(first + i).excluded());
                }
            }
        });
        var merged = parts.get(0).best;
        for (var part : parts.subList(1, parts.size())) {
            for (int i = 0; i < merged.length; i++) {
                merged[i].offerAll(part.best[i]);
            }
        }
        return merged;
    }

    /** What one thread keeps for itself. */
    private static final class Part {
        final float[][] sums = new float[4][VectorTable.LANES];
        final TopK[] best;

        Part(List<Query> queries) {
            best = new TopK[queries.size()];
            for (int i = 0; i < best.length; i++) {
                best[i] = new TopK((int) Math.min(Integer.MAX_VALUE - 8, (long) queries.get(i).k() + SPARE));
            }
        }
    }

    private static void select(Block block, int index, float[] scores, TopK best, LongSet excluded) {
        var ids = block.ids();
        var threshold = best.threshold();
        for (int lane = 0; lane < VectorTable.LANES; lane++) {
            if (scores[lane] >= threshold) {
                var id = ids[lane];
                if (id != VectorTable.EMPTY && best.accepts(scores[lane], id) && !excluded.contains(id)) {
                    best.offer(scores[lane], id, index * VectorTable.LANES + lane);
                    threshold = best.threshold();
                }
            }
        }
    }

    private static float[] scaled(float[] query, boolean cosine) {
        var norm = cosine ? norm(query) : 1;
        if (norm == 1 || norm == 0) {
            return query;
        }
        var scaled = new float[query.length];
        for (int d = 0; d < scaled.length; d++) {
            scaled[d] = (float) (query[d] / norm);
        }
        return scaled;
    }

    private static double norm(float[] vector) {
        var square = 0.0;
        for (var value : vector) {
            square += (double) value * value;
        }
        return Math.sqrt(square);
    }

    private static void scale(float[] sums, float[] factors) {
        for (int lane = 0; lane < VectorTable.LANES; lane++) {
            sums[lane] *= factors[lane];
        }
    }

    /** {@code sums[i] = vectors[first + i] * block} for up to four queries. */
    private static void multiply(Block block, float[][] vectors, int first, int count, float[][] sums) {
        for (int i = 0; i < count; i++) {
            Arrays.fill(sums[i], 0);
        }
        var columns = block.columns();
        for (int d = 0; d < columns.length; d += 4) {
            var x0 = columns[d];
            var x1 = d + 1 < columns.length ? columns[d + 1] : ZEROS;
            var x2 = d + 2 < columns.length ? columns[d + 2] : ZEROS;
            var x3 = d + 3 < columns.length ? columns[d + 3] : ZEROS;
            if (count == 4) {
                var a = vectors[first];
                var b = vectors[first + 1];
                var c = vectors[first + 2];
                var e = vectors[first + 3];
                addFour(sums[0], sums[1], sums[2], sums[3], x0, x1, x2, x3,
                    a[d], at(a, d + 1), at(a, d + 2), at(a, d + 3),
                    b[d], at(b, d + 1), at(b, d + 2), at(b, d + 3),
                    c[d], at(c, d + 1), at(c, d + 2), at(c, d + 3),
                    e[d], at(e, d + 1), at(e, d + 2), at(e, d + 3));
            } else {
                for (int i = 0; i < count; i++) {
                    var q = vectors[first + i];
                    add(sums[i], x0, x1, x2, x3, q[d], at(q, d + 1), at(q, d + 2), at(q, d + 3));
                }
            }
        }
    }

    private static float at(float[] vector, int d) {
        return d < vector.length ? vector[d] : 0;
    }

    /** Where the processor lacks it, {@link Math#fma} is computed with big decimals, a thousand times slower. */
    private static boolean hasFusedMultiplyAdd() {
        try {
            var machine = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
            return machine != null && Boolean.parseBoolean(machine.getVMOption("UseFMA").getValue());
        } catch (IllegalArgumentException | LinkageError unknown) {
            return false; // another virtual machine: the slower loop is right everywhere
        }
    }

    // The two loops below are the hot ones: every array is indexed by the bare loop variable, so that they vectorise.

    private static void add(
            float[] sum, float[] x0, float[] x1, float[] x2, float[] x3, float q0, float q1, float q2, float q3) {
        for (int j = 0; j < sum.length; j++) {
            sum[j] += (q0 * x0[j] + q1 * x1[j]) + (q2 * x2[j] + q3 * x3[j]);
        }
    }

    private static void addFour(
            float[] sumA, float[] sumB, float[] sumC, float[] sumE, float[] x0, float[] x1, float[] x2, float[] x3,
            float a0, float a1, float a2, float a3, float b0, float b1, float b2, float b3,
            float c0, float c1, float c2, float c3, float e0, float e1, float e2, float e3) {
        for (int j = 0; j < sumA.length; j++) {
            var y0 = x0[j];
            var y1 = x1[j];
            var y2 = x2[j];
            var y3 = x3[j];
            sumA[j] = Math.fma(a3, y3, Math.fma(a2, y2, Math.fma(a1, y1, Math.fma(a0, y0, sumA[j]))));
            sumB[j] = Math.fma(b3, y3, Math.fma(b2, y2, Math.fma(b1, y1, Math.fma(b0, y0, sumB[j]))));
            sumC[j] = Math.fma(c3, y3, Math.fma(c2, y2, Math.fma(c1, y1, Math.fma(c0, y0, sumC[j]))));
            sumE[j] = Math.fma(e3, y3, Math.fma(e2, y2, Math.fma(e1, y1, Math.fma(e0, y0, sumE[j]))));
        }
    }
}
