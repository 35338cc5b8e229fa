// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

/** What one method says: its items in order, and its score of any one item. */
public interface RankedSource {
    /** Best first, without what stays away; the same object at each call. */
    Candidates list();

    /** The score of an item, NaN where the method says nothing of it. */
    double score(long id);

    /** The largest score of all items, also of those that stay away; 0 where there are none. */
    double best();

    /** The length of the vector that was compared with; 1 for other methods. */
    default double length() {
        return 1;
    }
}
