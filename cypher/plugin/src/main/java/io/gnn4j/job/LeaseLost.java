// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

/** A worker speaks of a job that is no longer its own; it drops the job and goes on to the next. */
public final class LeaseLost extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public LeaseLost(String reason) {
        super("lease lost: " + reason);
    }
}
