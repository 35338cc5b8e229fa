// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import org.neo4j.procedure.TerminationGuard;

/**
 * Throws once the caller's transaction was terminated, and once the call is over: own transactions that other threads still
 * have under way end then, too. May be asked from any thread.
 */
final class CallGuard implements Runnable, AutoCloseable {
    private final String procedure;
    private final TerminationGuard guard;
    private volatile boolean over;

    CallGuard(String procedure, TerminationGuard guard) {
        this.procedure = procedure;
        this.guard = guard;
    }

    @Override
    public void run() {
        if (over) {
            throw new IllegalStateException(procedure + " was ended.");
        }
        guard.check(); // from any thread: it reads one volatile field
    }

    @Override
    public void close() {
        over = true;
    }
}
