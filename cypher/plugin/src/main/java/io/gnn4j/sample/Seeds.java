// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/**
 * Where samples start.
 *
 * @param type position of their node type in the plan
 * @param nodeIds Neo4j ids, repeats allowed
 * @param before as long as {@code nodeIds}: only what is older than this is drawn for the seed; null where time does not matter
 */
public record Seeds(int type, long[] nodeIds, long[] before) {
    public int count() {
        return nodeIds.length;
    }

    Seeds part(int from, int to) {
        return new Seeds(type, Arrays.copyOfRange(nodeIds, from, to), before == null ? null : Arrays.copyOfRange(before, from, to));
    }
}
