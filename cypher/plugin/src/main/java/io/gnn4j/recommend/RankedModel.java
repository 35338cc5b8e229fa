// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.SourceEncoder.Source;
import io.gnn4j.task.Task;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** A model that ranks items without comparing vectors. One call's, for one thread. */
public interface RankedModel {
    /** What a list is made from, in one look. */
    Interactions read(LiveStore store, Task task, long user, int maxDegree);

    /**
     * What the model says to a source.
     *
     * @param excluded ids that never come; what the caller adds later stays away, too
     */
    RankedSource to(Source source, LongHashSet excluded);

    /** The items most like an item, or the users most like a user. @throws IllegalArgumentException where the model knows none */
    RankedSource like(long node, boolean user, LongHashSet excluded);
}
