// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Map;

/** Items in the order in which one method would give them, as many as are asked for. */
public interface Candidates {
    /**
     * @param scores the partial scores by name
     * @param origin which method gave it
     */
    record Candidate(long id, double score, Map<String, Object> scores, String origin) {}

    /** The next one, or null after the last. */
    Candidate next();
}
