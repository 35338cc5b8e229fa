// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import java.util.List;

/** Ranks all items for users of a {@link HeldOut} by what is known of them. */
public interface Ranker {
    /**
     * @param users by index
     * @return for each its items by index, best first, at most k, without known ones and without those that nothing is
     *     known of: popular items fill the place of these
     */
    List<int[]> rank(int[] users, int k);
}
