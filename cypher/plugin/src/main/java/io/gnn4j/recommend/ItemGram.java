// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.artefact.Manifest.FoldIn;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * The sum of v v' over all items, which makes a least-squares user from a history alone.
 *
 * <p>Source: Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets"; the strength of the
 * regularisation as in Rendle, Krichene, Zhang and Koren (2022), "Revisiting the performance of iALS".
 */
final class ItemGram {
    /** It costs items * D^2, so it is made once for a state of the vectors, and goes with that state. */
    private static final Map<VectorTable.Snapshot, ItemGram> KNOWN = Collections.synchronizedMap(new WeakHashMap<>());

    private final double[][] sums;

    private ItemGram(double[][] sums) {
        this.sums = sums;
    }

    static ItemGram of(VectorTable.Snapshot items) {
        var known = KNOWN.get(items);
        if (known == null) {
            known = new ItemGram(sums(items));
            KNOWN.put(items, known);
        }
        return known;
    }

    private static double[][] sums(VectorTable.Snapshot items) {
        var dimension = items.blocks().length == 0 ? 0 : items.blocks()[0].columns().length;
        var sums = new double[dimension][dimension];
        for (var block : items.blocks()) {
            for (int a = 0; a < dimension; a++) {
                for (int b = 0; b <= a; b++) {
                    sums[a][b] += product(block.columns()[a], block.columns()[b]);
                }
            }
        }
        return sums;
    }

    /** Empty lanes hold zeros. */
    private static double product(float[] left, float[] right) {
        var sum = 0.0;
        for (int i = 0; i < left.length; i++) {
            sum += (double) left[i] * right[i];
        }
        return sum;
    }

    /** Solves (a0 G + sum of w v v' + reg (n + a0 items)^nu I) p = sum of w v. @param vectors n of them, at least one */
    float[] user(FoldIn rule, float[][] vectors, double[] weights) {
        var size = vectors[0].length;
        var left = new double[size][size];
        var right = new double[size];
        var ridge = rule.regularization() * Math.pow(vectors.length + rule.unobserved() * rule.items(), rule.nu());
        for (int a = 0; a < size; a++) {
            for (int b = 0; b <= a; b++) {
                left[a][b] = rule.unobserved() * sums[a][b] + (a == b ? ridge : 0);
            }
        }
        for (int i = 0; i < vectors.length; i++) {
            for (int a = 0; a < size; a++) {
                var scaled = weights[i] * vectors[i][a];
                right[a] += scaled;
                for (int b = 0; b <= a; b++) {
                    left[a][b] += scaled * vectors[i][b];
                }
            }
        }
        return solve(left, right);
    }

    /** By Cholesky's factors; {@code left} holds the lower triangle and is overwritten. */
    private static float[] solve(double[][] left, double[] right) {
        var size = right.length;
        for (int a = 0; a < size; a++) {
            for (int b = 0; b <= a; b++) {
                var sum = left[a][b];
                for (int c = 0; c < b; c++) {
                    sum -= left[a][c] * left[b][c];
                }
                // Without regularisation the system may be singular; the floor keeps what is left finite.
                left[a][b] = a == b ? Math.sqrt(Math.max(sum, 1e-12)) : sum / left[b][b];
            }
        }
        for (int a = 0; a < size; a++) {
            for (int c = 0; c < a; c++) {
                right[a] -= left[a][c] * right[c];
            }
            right[a] /= left[a][a];
        }
        for (int a = size - 1; a >= 0; a--) {
            for (int c = a + 1; c < size; c++) {
                right[a] -= left[c][a] * right[c];
            }
            right[a] /= left[a][a];
        }
        var solved = new float[size];
        for (int a = 0; a < size; a++) {
            solved[a] = (float) right[a];
        }
        return solved;
    }
}
