// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.inference.OnnxModel;
import io.gnn4j.memory.MemoryBudget;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/** Open ONNX sessions by (database, hash of the model); closed when memory is short, the model is dropped or the server stops. */
final class EncoderCache implements AutoCloseable {
    private record Key(UUID database, String sha256) {}

    /** A session that stays open until {@link #close()}. */
    static final class Open implements AutoCloseable {
        private OnnxModel model;
        private MemoryBudget.Share share;

        OnnxModel model() {
            return model;
        }

        /** Lets go of it; it may stay open for the next call. */
        @Override
        public void close() {
            share.release();
        }
    }

    private final int threads;
    private final MemoryBudget memory;
    private final ConcurrentHashMap<Key, Open> open = new ConcurrentHashMap<>();

    EncoderCache(int threads, MemoryBudget memory) {
        this.threads = threads;
        this.memory = memory;
    }

    /**
     * Opening is rare and takes milliseconds: one lock for all keeps two calls from opening the same model twice.
     *
     * @param modelBytes size of the file; the session is taken to need twice as much
     * @return held; the caller closes it
     */
    synchronized Open get(UUID database, String databaseName, ServedModel model, long modelBytes, IntFunction<OnnxModel> opener) {
        var key = new Key(database, model.sha256());
        var known = open.get(key);
        if (known != null && known.share.hold()) {
            return known;
        }
        // One that is just being evicted closes itself; only the entry in the map may be another by then.
        var fresh = new Open();
        fresh.share = memory.reserve(
            "ONNX session", model.reference(), databaseName, null, OnnxModel.memory(modelBytes), () -> evict(key, fresh));
        try {
            fresh.model = opener.apply(threads);
            open.put(key, fresh);
            return fresh;
        } finally {
            if (fresh.model == null) {
                fresh.share.close();
            }
        }
    }

    /** Without the lock: whoever asks for memory must not wait for a model that is being opened. Nobody holds the entry. */
    private void evict(Key key, Open entry) {
        open.remove(key, entry);
        entry.share.close();
        entry.model.close();
    }

    /** The caller makes sure that no lease holds the model any more. */
    void close(UUID database, String sha256) {
        var key = new Key(database, sha256);
        var entry = open.remove(key);
        if (entry != null) {
            evict(key, entry);
        }
    }

    @Override
    public void close() {
        open.forEach(this::evict);
    }
}
