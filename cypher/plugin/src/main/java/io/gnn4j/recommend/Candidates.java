// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Map;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Items in the order in which one method would give them, as many as are asked for. */
public interface Candidates {
    /**
     * @param scores the partial scores by name
     * @param origin which method gave it
     */
    record Candidate(long id, double score, Map<String, Object> scores, String origin) {}

    /** The next one, or null after the last. */
    Candidate next();

    /** The same without what is not named. @param allowed null: all */
    default Candidates among(long[] allowed) {
        if (allowed == null) {
            return this;
        }
        var named = LongHashSet.newSetWith(allowed);
        return () -> {
            var next = next();
            while (next != null && !named.contains(next.id())) {
                next = next();
            }
            return next;
        };
    }
}
