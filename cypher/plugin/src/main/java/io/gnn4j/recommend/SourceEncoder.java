// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Task;
import java.util.List;

/** Makes the vector of a source, to be compared with the vectors of the items. One call's, for one thread. */
public interface SourceEncoder {
    /**
     * What a list is made for.
     *
     * @param node a user or an item; null for a visitor without a node
     * @param history what it touched; the item itself where an item is the source
     */
    record Source(Long node, Interactions history) {}

    /** What a user's vector is made from and what it has seen, in one look. */
    Interactions read(LiveStore store, Task task, long user, int maxDegree);

    /** @return [B, D]; the zero vector for a source of which the model knows nothing */
    float[][] encodeSources(List<Source> sources);

    /** Whether a source's vector stands in for one the model does not have. */
    default boolean isCold(Source source) {
        return false;
    }
}
