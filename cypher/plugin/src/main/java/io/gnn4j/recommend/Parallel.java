// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.ObjIntConsumer;
import java.util.function.Supplier;

/**
 * Spreads numbered pieces of work over the calling thread and some helpers; whoever is free takes the next piece, so
 * that a helper that comes late or not at all costs nothing.
 *
 * @param guard called by the calling thread between pieces; what it throws ends the work of all threads
 */
public record Parallel(Executor helpers, int concurrency, Runnable guard) {
    /** On the calling thread alone, never ended. */
    public static Parallel none() {
        return new Parallel(Runnable::run, 1, () -> { });
    }

    /** @return the state of every thread that took part, at least one */
    public <S> List<S> map(int pieces, Supplier<S> state, ObjIntConsumer<S> work) {
        var next = new AtomicInteger();
        var failure = new AtomicReference<Throwable>();
        var threads = Math.max(1, Math.min(concurrency, pieces));
        var states = new ArrayList<S>(threads);
        for (int i = 0; i < threads; i++) {
            states.add(state.get());
        }
        var done = new CountDownLatch(threads - 1);
        for (int i = 1; i < threads; i++) {
            var own = states.get(i);
            try {
                helpers.execute(() -> {
                    try {
                        run(pieces, next, own, work, () -> { }, failure);
                    } finally {
                        done.countDown();
                    }
                });
            } catch (RejectedExecutionException busy) {
                done.countDown(); // the calling thread does it
            }
        }
        run(pieces, next, states.get(0), work, guard, failure);
        awaitQuietly(done);
        switch (failure.get()) {
            case null -> { }
            case Error error -> throw error;
            case Throwable wrong -> throw (RuntimeException) wrong;
        }
        return states;
    }

    private static <S> void run(
            int pieces, AtomicInteger next, S state, ObjIntConsumer<S> work, Runnable guard,
            AtomicReference<Throwable> failure) {
        try {
            for (int piece = next.getAndIncrement(); piece < pieces; piece = next.getAndIncrement()) {
                guard.run();
                work.accept(state, piece);
            }
        } catch (RuntimeException | Error wrong) {
            failure.compareAndSet(null, wrong);
            next.set(pieces);
        }
    }

    private static void awaitQuietly(CountDownLatch done) {
        var interrupted = false;
        while (true) {
            try {
                done.await(); // helpers end after the piece at hand, and must not touch anything later
                break;
            } catch (InterruptedException again) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
