// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Counts the calls that use each version, so that none is removed under one of them. */
final class ModelLeases {
    record Key(UUID database, String name, long version) {}

    private final Map<Key, Integer> held = new HashMap<>();
    private final Set<Key> closed = new HashSet<>();

    /** @return false when the version is being removed */
    synchronized boolean hold(Key key) {
        if (closed.contains(key)) {
            return false;
        }
        held.merge(key, 1, Integer::sum);
        return true;
    }

    synchronized void release(Key key) {
        held.computeIfPresent(key, (same, count) -> count == 1 ? null : count - 1);
        notifyAll();
    }

    /**
     * Lets no new call in and waits until the last one has left.
     *
     * @param interrupted asked about every 200 ms; throws to end the waiting, and calls are let in again
     */
    synchronized void close(Key key, Runnable interrupted) {
        closed.add(key);
        var emptied = false;
        try {
            while (held.containsKey(key)) {
                interrupted.run();
                wait(200);
            }
            emptied = true;
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting for calls that use model " + key.name() + ":" + key.version() + ".");
        } finally {
            if (!emptied) {
                closed.remove(key);
            }
        }
    }

    /** Versions are never numbered twice while a later one exists; a number that comes back is a new model. */
    synchronized void forget(Key key) {
        closed.remove(key);
    }

    synchronized int count(Key key) {
        return held.getOrDefault(key, 0);
    }
}
