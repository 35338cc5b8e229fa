// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.inference.OnnxModel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.IntFunction;

/** Open ONNX sessions by (database, hash of the model); closed when the model is dropped or the server stops. */
public final class EncoderCache implements AutoCloseable {
    private record Key(UUID database, String sha256) {}

    /** @param bytes estimated native memory */
    public record Entry(UUID database, String sha256, long bytes) {}

    private final int threads;
    private final Map<Key, OnnxModel> open = new HashMap<>();

    EncoderCache(int threads) {
        this.threads = threads;
    }

    /** Opening is rare and takes milliseconds: one lock for all keeps two calls from opening the same model twice. */
    synchronized OnnxModel get(UUID database, String sha256, IntFunction<OnnxModel> opener) {
        var key = new Key(database, sha256);
        var model = open.get(key);
        if (model == null) {
            model = opener.apply(threads);
            open.put(key, model);
        }
        return model;
    }

    /** The caller makes sure that no lease holds the model any more. */
    synchronized void close(UUID database, String sha256) {
        var model = open.remove(new Key(database, sha256));
        if (model != null) {
            model.close();
        }
    }

    synchronized List<Entry> entries() {
        return open.entrySet().stream()
            .map(entry -> new Entry(entry.getKey().database(), entry.getKey().sha256(), entry.getValue().memory())).toList();
    }

    @Override
    public synchronized void close() {
        open.values().forEach(OnnxModel::close);
        open.clear();
    }
}
