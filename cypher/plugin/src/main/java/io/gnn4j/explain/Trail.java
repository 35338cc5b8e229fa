// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import java.util.ArrayList;
import java.util.List;

/**
 * A walk along relationships, whichever way they point.
 *
 * @param nodes at least one, each once
 * @param relationships one fewer
 */
public record Trail(List<Long> nodes, List<Long> relationships) {
    public static Trail at(long node) {
        return new Trail(List.of(node), List.of());
    }

    public Trail and(long relationship, long node) {
        var further = new ArrayList<>(nodes);
        var more = new ArrayList<>(relationships);
        further.add(node);
        more.add(relationship);
        return new Trail(further, more);
    }

    public int length() {
        return relationships.size();
    }

    public long last() {
        return nodes.get(nodes.size() - 1);
    }
}
