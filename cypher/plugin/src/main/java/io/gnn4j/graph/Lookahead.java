// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A lazy stream whose elements are made by a few threads, in order, at most two a thread ahead of the reader: memory
 * does not grow when the reader is slow. Its threads end when it is closed, and by themselves when nobody reads on.
 */
public final class Lookahead<T> implements AutoCloseable {
    private static final int AHEAD_PER_THREAD = 2;
    private static final long IDLE_SECONDS = 1;
    private static final long GUARD_MILLIS = 100;

    private final Iterator<? extends Callable<T>> tasks;
    private final Runnable guard;
    private final int ahead;
    private final ThreadPoolExecutor threads;
    private final ArrayDeque<Future<T>> pending = new ArrayDeque<>();

    /** @param guard called while waiting; throws when the caller's transaction was terminated */
    public Lookahead(String threadName, int concurrency, Iterator<? extends Callable<T>> tasks, Runnable guard) {
        this.tasks = tasks;
        this.guard = guard;
        ahead = AHEAD_PER_THREAD * concurrency;
        threads = new ThreadPoolExecutor(
            concurrency, concurrency, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                var thread = new Thread(task, threadName);
                thread.setDaemon(true);
                return thread;
            });
        threads.allowCoreThreadTimeOut(true);
    }

    public Stream<T> stream() {
        var elements = new Spliterators.AbstractSpliterator<T>(Long.MAX_VALUE, Spliterator.ORDERED | Spliterator.NONNULL) {
            @Override
            public boolean tryAdvance(Consumer<? super T> action) {
                T element;
                try {
                    element = next();
                } catch (Throwable failure) {
                    close();
                    throw failure;
                }
                if (element == null) {
                    close();
                    return false;
                }
                action.accept(element);
                return true;
            }
        };
        return StreamSupport.stream(elements, false).onClose(this::close);
    }

    /** Null at the end. */
    private T next() {
        guard.run();
        while (pending.size() < ahead && tasks.hasNext()) {
            pending.add(threads.submit(tasks.next()));
        }
        var first = pending.poll();
        return first == null ? null : await(first);
    }

    private T await(Future<T> future) {
        while (true) {
            try {
                return future.get(GUARD_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException still) {
                guard.run();
            } catch (ExecutionException failure) {
                throw failure.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(failure.getCause());
            } catch (InterruptedException interruption) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("Interrupted while reading a graph.", interruption);
            }
        }
    }

    /** Starts no further element. Those at hand are finished, not interrupted: they may be writing. */
    @Override
    public void close() {
        threads.getQueue().clear();
        threads.shutdown();
        pending.clear();
    }

    /** Closes, and waits for the elements at hand. */
    public void awaitEnd() {
        close();
        try {
            threads.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
        }
    }
}
