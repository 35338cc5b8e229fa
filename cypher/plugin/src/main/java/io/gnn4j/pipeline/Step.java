// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import java.util.Map;

/**
 * A node property that a GDS procedure computes.
 *
 * @param procedure in full, e.g. {@code gds.fastRP.mutate}
 */
public record Step(String procedure, Map<String, Object> config) {
    /** The property it adds; null where the configuration names none. */
    public String property() {
        return config.get("mutateProperty") instanceof String name ? name : null;
    }
}
