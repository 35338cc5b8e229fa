// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import java.util.ArrayDeque;
import java.util.Deque;

/** What a call holds until its end: closed from the last taken to the first, all of it, whatever one of them throws. */
final class ResourceStack implements AutoCloseable {
    private final Deque<AutoCloseable> held = new ArrayDeque<>();

    <T extends AutoCloseable> T push(T taken) {
        held.push(taken);
        return taken;
    }

    @Override
    public void close() {
        while (!held.isEmpty()) {
            try {
                held.pop().close();
            } catch (RuntimeException wrong) {
                close();
                throw wrong;
            } catch (Exception wrong) {
                throw new IllegalStateException(wrong);
            }
        }
    }
}
