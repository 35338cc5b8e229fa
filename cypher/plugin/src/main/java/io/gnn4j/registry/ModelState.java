// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.Locale;

/** The life of one version; only {@link #READY} ones answer queries. */
public enum ModelState {
    /** Parts are missing. */
    LOADING,
    /** All parts are there, vectors or index are not. */
    BUILDING,
    READY,
    /** Being removed. */
    RETIRED;

    /** As the property {@code state} has it. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    static ModelState of(Object property) {
        for (var state : values()) {
            if (state.text().equals(property)) {
                return state;
            }
        }
        throw new IllegalStateException("A GnnModel node has the unknown state '" + property + "'.");
    }
}
