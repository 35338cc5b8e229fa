// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.function.LongSupplier;

/** The moment from which a call leaves out what it can do without. */
public final class Deadline {
    /** Says that the time is up; not an error of anybody. */
    static final class Over extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Over() {
            super("The time is up.", null, false, false);
        }
    }

    private final LongSupplier nanos;
    private final long at;
    private final boolean none;

    /** @param millis from now; 0: there is no such moment */
    public Deadline(long millis, LongSupplier nanos) {
        this.nanos = nanos;
        none = millis == 0;
        at = nanos.getAsLong() + millis * 1_000_000;
    }

    boolean isOver() {
        return !none && nanos.getAsLong() - at >= 0;
    }

    /** @throws Over when the time is up */
    void check() {
        if (isOver()) {
            throw new Over();
        }
    }
}
