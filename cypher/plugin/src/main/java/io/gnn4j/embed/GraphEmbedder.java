// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.graph.Lookahead;
import io.gnn4j.graph.TypedGraph;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Embeds all nodes of some labels of a projection, batch after batch, by a few threads. */
public final class GraphEmbedder {
    private final BlockSchema schema;
    private final TypedGraph graph;
    private final List<String> labels;
    private final Map<String, Long> batchSizes = new LinkedHashMap<>();
    private final int concurrency;
    private final int dimension;

    /** Vectors of the nodes {@code from} to {@code from + count} of a label, by index: [count, D], row-major. */
    public record Batch(String label, int from, int count, float[] vectors) {
        /** A copy of one of them. */
        public float[] vector(int at, int dimension) {
            return Arrays.copyOfRange(vectors, at * dimension, (at + 1) * dimension);
        }
    }

    /** @param graph with the labels of the schema as its types */
    public GraphEmbedder(BlockSchema schema, int dimension, TypedGraph graph, EmbedConfig config) {
        this.schema = schema;
        this.graph = graph;
        this.dimension = dimension;
        labels = config.labels(schema);
        concurrency = config.concurrency();
        for (var label : labels) {
            batchSizes.put(label, config.batchSize() > 0 ? (long) config.batchSize()
                : sizes().of(schema.number(label), concurrency, BatchSize.most()));
        }
    }

    private BatchSize sizes() {
        return new BatchSize(schema, dimension, type -> graph.nodeCount(schema.types().get(type).label()));
    }

    /** What the tensors of the batches at hand take, outside the heap. */
    public long nativeBytes() {
        return labels.stream().mapToLong(label -> {
            int size = Math.toIntExact(batchSizes.get(label));
            return sizes().bytes(schema.number(label), size)
                * BatchSize.atOnce(graph.nodeCount(label), size, concurrency);
        }).max().orElse(0);
    }

    public List<String> labels() {
        return labels;
    }

    /** Seeds of a batch, by label. */
    public Map<String, Long> batchSizes() {
        return batchSizes;
    }

    /** Nodes to be embedded. */
    public long nodes() {
        return labels.stream().mapToLong(graph::nodeCount).sum();
    }

    /**
     * In the order of the labels and of the indices; made a little ahead of the reader. To be closed: that ends the threads.
     *
     * @param embedders one for each thread that asks
     * @param guard throws when the caller's transaction was terminated
     * @param progress told in words how far it is
     */
    public Stream<Batch> embed(Supplier<BlockEmbedder> embedders, Runnable guard, Consumer<String> progress) {
        var pool = new Pool(embedders);
        var work = new Lookahead<>("gnn-embed", concurrency, tasks(pool), guard);
        var done = new long[1];
        var all = nodes();
        return work.stream().peek(batch -> {
            var before = done[0];
            done[0] += batch.count();
            if (done[0] * 10 / all != before * 10 / all) { // about every tenth of the way
                progress.accept("embedding nodes: " + done[0] + " of " + all);
            }
        }).onClose(() -> {
            pool.end();
            work.awaitEnd(); // the model must not be closed under a thread that runs it
        });
    }

    /** The embedders of the threads. */
    private static final class Pool {
        private final Supplier<BlockEmbedder> made;
        private final List<BlockEmbedder> all = new ArrayList<>();
        private final Deque<BlockEmbedder> free = new ArrayDeque<>();
        private boolean ended;

        Pool(Supplier<BlockEmbedder> made) {
            this.made = made;
        }

        synchronized BlockEmbedder take() {
            if (ended) {
                throw new IllegalStateException("The embedding was ended.");
            }
            var one = free.poll();
            if (one == null) {
                one = made.get();
                all.add(one);
            }
            return one;
        }

        synchronized void put(BlockEmbedder one) {
            free.add(one);
        }

        /** What is running fails soon. */
        synchronized void end() {
            ended = true;
            all.forEach(BlockEmbedder::end);
        }
    }

    private Iterator<Callable<Batch>> tasks(Pool pool) {
        var starts = new ArrayList<Batch>();
        for (var label : labels) {
            int size = Math.toIntExact(batchSizes.get(label));
            int count = graph.nodeCount(label);
            for (int from = 0; from < count; from += size) {
                starts.add(new Batch(label, from, Math.min(size, count - from), null));
            }
        }
        return new Iterator<>() {
            private int next;

            @Override
            public boolean hasNext() {
                return next < starts.size();
            }

            @Override
            public Callable<Batch> next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                var start = starts.get(next++);
                return () -> {
                    var embedder = pool.take();
                    var ids = new long[start.count()];
                    for (int i = 0; i < ids.length; i++) {
                        ids[i] = graph.nodeId(start.label(), start.from() + i);
                    }
                    var batch = new Batch(start.label(), start.from(), ids.length, embedder.embed(start.label(), ids));
                    pool.put(embedder);
                    return batch;
                };
            }
        };
    }
}
