// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import java.util.BitSet;
import java.util.List;

/**
 * Ranking metrics of one list, and of all lists together; the same definitions as in Python.
 *
 * <p>recall: found / held out. precision: found / k. ndcg: binary gain, log2 discount, ideal list of min(held out, k)
 * (Järvelin and Kekäläinen, 2002). hit_rate: 1 when anything was found. mrr: 1 / rank of the first hit, 0 without. map: mean
 * over min(held out, k) of the precision at each hit. coverage: distinct items in the lists / items. novelty: mean of
 * -log2(share of users who know the item), an item nobody knows counting as known by one.
 */
public final class Figures {
    /** Those with one value a list. */
    public static final List<String> OF_LISTS = List.of("recall", "precision", "ndcg", "hit_rate", "mrr", "map");
    /** All of them, in the order in which they are given. */
    public static final List<String> NAMES =
        List.of("recall", "precision", "ndcg", "hit_rate", "mrr", "map", "coverage", "novelty");

    private Figures() {}

    /**
     * @param hits which ranks, from 0, hold an item that was held out
     * @param heldOut how many items were, at least 1
     * @param k ranks that count
     * @return in [0, 1]
     */
    public static double of(String name, BitSet hits, int heldOut, int k) {
        var found = hits.get(0, k).cardinality();
        var most = Math.min(heldOut, k);
        return switch (name) {
            case "recall" -> (double) found / heldOut;
            case "precision" -> (double) found / k;
            case "hit_rate" -> found > 0 ? 1 : 0;
            case "mrr" -> found > 0 ? 1.0 / (hits.nextSetBit(0) + 1) : 0;
            case "ndcg" -> gain(hits, k) / ideal(most);
            case "map" -> precisionSum(hits, k) / most;
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static double gain(BitSet hits, int k) {
        var sum = 0.0;
        for (int rank = hits.nextSetBit(0); rank >= 0 && rank < k; rank = hits.nextSetBit(rank + 1)) {
            sum += discount(rank);
        }
        return sum;
    }

    private static double ideal(int hits) {
        var sum = 0.0;
        for (int rank = 0; rank < hits; rank++) {
            sum += discount(rank);
        }
        return sum;
    }

    private static double discount(int rank) {
        return Math.log(2) / Math.log(rank + 2.0);
    }

    private static double precisionSum(BitSet hits, int k) {
        var sum = 0.0;
        var found = 0;
        for (int rank = hits.nextSetBit(0); rank >= 0 && rank < k; rank = hits.nextSetBit(rank + 1)) {
            sum += ++found / (rank + 1.0);
        }
        return sum;
    }

    /** @param lists item indices, best first */
    public static double coverage(int[][] lists, int k, int items) {
        var listed = new BitSet();
        for (var list : lists) {
            for (int i = 0; i < Math.min(k, list.length); i++) {
                listed.set(list[i]);
            }
        }
        return items == 0 ? 0 : (double) listed.cardinality() / items;
    }

    /** @param degrees users of each item; NaN when nothing is listed */
    public static double novelty(int[][] lists, int k, int[] degrees, int users) {
        var sum = 0.0;
        var count = 0L;
        for (var list : lists) {
            for (int i = 0; i < Math.min(k, list.length); i++) {
                sum -= Math.log((double) Math.max(degrees[list[i]], 1) / Math.max(users, 1)) / Math.log(2);
                count++;
            }
        }
        return count == 0 ? Double.NaN : sum / count;
    }
}
