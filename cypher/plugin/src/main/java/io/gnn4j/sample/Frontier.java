// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

/**
 * The entries of one node type, hop after hop: add what a hop draws, close the hop, ask for positions. An entry is a node,
 * or a node and a group where seeds have times of their own or are kept apart. For one thread.
 */
abstract class Frontier {
    private static final int[] NONE = {};

    /** Nodes of a closed hop by number, in order. */
    protected int[] numbers = NONE;
    /** Their groups; null where there is one. */
    protected int[] groups;

    /** An entry that was added before, in this hop or an earlier one, is not added again. */
    abstract void add(int number, int group);

    /** Orders what was added since the last call, by Neo4j id and group, and fills {@link #numbers} and {@link #groups}. */
    abstract void close();

    /** As {@link #close}, in the order of adding. */
    abstract void closeAsAdded();

    /** The place of an entry of a closed hop among those of all hops since {@link #clear}. */
    abstract int position(int number, int group);

    /** Forgets all hops. */
    abstract void clear();

    int size() {
        return numbers.length;
    }

    int group(int entry) {
        return groups == null ? 0 : groups[entry];
    }
}
