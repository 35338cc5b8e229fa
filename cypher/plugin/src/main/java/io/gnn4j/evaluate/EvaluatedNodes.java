// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.SourceEncoder.Source;
import java.util.Arrays;

/**
 * The nodes behind the indices of a {@link HeldOut}, for rankers that answer by node, as {@code gnn.recommend.stream} does.
 * An index is the rank by ascending id, so ties go to the same item either way.
 *
 * @param users ids by index, ascending
 * @param items ids by index, ascending
 */
public record EvaluatedNodes(long[] users, long[] items) {
    /** A user with what is known of it. @param known ids are item indices */
    Source source(int user, Interactions known) {
        var ids = Arrays.stream(known.ids()).map(index -> items[(int) index]).toArray();
        return new Source(users[user], new Interactions(ids, known.weights(), known.times(), known.truncated()));
    }

    /** The index of a user, or a negative number where it is none of the projection's. */
    int user(long id) {
        return Arrays.binarySearch(users, id);
    }

    /** The index of an item, or a negative number where it is not among those that are ranked. */
    int item(long id) {
        return Arrays.binarySearch(items, id);
    }
}
