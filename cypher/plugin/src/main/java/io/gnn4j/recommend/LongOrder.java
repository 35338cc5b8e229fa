// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Lists of ids whose order carries meaning. */
final class LongOrder {
    private LongOrder() {}

    /** Each id once, at its last position: what was touched twice counts as touched late. */
    static long[] distinctKeepingLast(long[] ids) {
        var seen = new LongHashSet();
        var reversed = new LongArrayList();
        for (int i = ids.length - 1; i >= 0; i--) {
            if (seen.add(ids[i])) {
                reversed.add(ids[i]);
            }
        }
        return reversed.reverseThis().toArray();
    }
}
