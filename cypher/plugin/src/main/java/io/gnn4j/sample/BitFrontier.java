// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.ArrayList;
import java.util.Arrays;

/**
 * Entries without groups whose numbers ascend with their ids: one bit a node, so that order and positions come from counting
 * bits and nothing is sorted. Space: 3/16 byte a node for each hop kept.
 */
final class BitFrontier extends Frontier {
    private final int nodes;
    private final ArrayList<Layer> spare = new ArrayList<>();
    private final ArrayList<Layer> closed = new ArrayList<>();
    private Layer open;
    private int total;
    /** Of hop 0, where it stands in the order of adding: the position by rank; else null. */
    private int[] added;
    private int[] order = new int[64];
    private int count;

    BitFrontier(int nodes) {
        this.nodes = nodes;
    }

    private static final class Layer {
        final long[] words;
        final int[] ranks;
        /** One bit a word that has bits. */
        final long[] used;
        int start;

        Layer(int nodes) {
            words = new long[(nodes >>> 6) + 1];
            ranks = new int[words.length];
            used = new long[(words.length >>> 6) + 1];
        }

        boolean has(int number) {
            return (words[number >>> 6] >>> number & 1) != 0;
        }

        int rank(int number) {
            int word = number >>> 6;
            return ranks[word] + Long.bitCount(words[word] & (1L << number) - 1);
        }

        void clear() {
            for (int u = 0; u < used.length; u++) {
                for (long rest = used[u]; rest != 0; rest &= rest - 1) {
                    words[(u << 6) + Long.numberOfTrailingZeros(rest)] = 0;
                }
                used[u] = 0;
            }
        }
    }

    @Override
    void add(int number, int group) {
        for (int c = 0; c < closed.size(); c++) {
            if (closed.get(c).has(number)) {
                return;
            }
        }
        if (open == null) {
            open = spare.isEmpty() ? new Layer(nodes) : spare.remove(spare.size() - 1);
            count = 0;
        }
        int word = number >>> 6;
        long bit = 1L << number;
        if ((open.words[word] & bit) == 0) {
            open.words[word] |= bit;
            open.used[word >>> 6] |= 1L << word;
            if (count == order.length) {
                order = Arrays.copyOf(order, 2 * count);
            }
            order[count++] = number;
        }
    }

    @Override
    void close() {
        numbers = new int[open == null ? 0 : count];
        if (open == null) {
            return;
        }
        int rank = 0;
        for (int u = 0; u < open.used.length; u++) {
            for (long words = open.used[u]; words != 0; words &= words - 1) {
                int word = (u << 6) + Long.numberOfTrailingZeros(words);
                open.ranks[word] = rank;
                for (long bits = open.words[word]; bits != 0; bits &= bits - 1) {
                    numbers[rank++] = (word << 6) + Long.numberOfTrailingZeros(bits);
                }
            }
        }
        open.start = total;
        total += rank;
        closed.add(open);
        open = null;
    }

    @Override
    void closeAsAdded() {
        close();
        if (numbers.length == 0) {
            return;
        }
        System.arraycopy(order, 0, numbers, 0, numbers.length);
        added = new int[numbers.length];
        for (int i = 0; i < numbers.length; i++) {
            added[closed.get(0).rank(numbers[i])] = i;
        }
    }

    @Override
    int position(int number, int group) {
        for (int c = 0; c < closed.size() - 1; c++) {
            var layer = closed.get(c);
            if (layer.has(number)) {
                return place(c, layer, number);
            }
        }
        int last = closed.size() - 1;
        return place(last, closed.get(last), number);
    }

    private int place(int hop, Layer layer, int number) {
        int rank = layer.rank(number);
        return added != null && hop == 0 ? added[rank] : layer.start + rank;
    }

    @Override
    void clear() {
        if (open != null) {
            closed.add(open);
            open = null;
        }
        for (var layer : closed) {
            layer.clear();
            spare.add(layer);
        }
        closed.clear();
        total = 0;
        added = null;
    }

    /** Bytes for hops that are kept. */
    static long bytes(long nodes, int hops) {
        return nodes / 16 * 3 * hops;
    }
}
