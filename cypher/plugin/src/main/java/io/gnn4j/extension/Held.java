// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

/** Something cached that stays in memory until {@link #close()}. */
public final class Held<T> implements AutoCloseable {
    private final T value;
    private final Runnable release;
    private boolean closed;

    Held(T value, Runnable release) {
        this.value = value;
        this.release = release;
    }

    public T value() {
        return value;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            release.run();
        }
    }
}
