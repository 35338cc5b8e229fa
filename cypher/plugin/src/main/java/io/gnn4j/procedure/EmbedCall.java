// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.embed.BlockEmbedder;
import io.gnn4j.embed.EmbedConfig;
import io.gnn4j.embed.GraphEmbedder;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.features.ProjectedFeatures;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.TypedGraph;
import io.gnn4j.registry.ModelLease;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.sample.NeighbourSource;
import io.gnn4j.sample.ProjectedNeighbours;
import io.gnn4j.writeback.VectorWriter;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;

/** One embedding of a projection: what it needs, held until {@link #close()}. */
final class EmbedCall implements AutoCloseable {
    private final GnnContext gnn;
    private final Transaction tx;
    private final Runnable guard;
    private final ResourceStack held = new ResourceStack();
    private final ModelLease lease;
    private final ProjectedGraph projection;
    private final String owner;
    private final TypedGraph graph;
    private final GraphEmbedder embedder;
    private final LiveGraph live;

    /** Opens graph and model, and takes no memory worth naming. */
    EmbedCall(GnnContext gnn, Transaction tx, Runnable guard, JobAccess access, String graphName, EmbedConfig config, ModelLease lease) {
        this.gnn = gnn;
        this.tx = tx;
        this.guard = guard;
        this.lease = lease;
        held.push(lease);
        try {
            requireBlocks(lease.model());
            live = new LiveGraph(tx);
            held.push(live);
            var opened = access.open(tx, graphName);
            projection = opened.graph();
            owner = opened.owner();
            graph = projection.typed(labels(), labels(), guard);
            embedder = new GraphEmbedder(schema(), lease.model().dimension(), graph, config);
        } catch (RuntimeException | Error wrong) {
            close();
            throw wrong;
        }
    }

    private static void requireBlocks(ServedModel model) {
        if (!Manifest.PADDED_BLOCKS.equals(model.contract())) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has the contract " + model.contract()
                + "; a projection is embedded by models of " + Manifest.PADDED_BLOCKS + ".");
        }
    }

    ServedModel model() {
        return lease.model();
    }

    BlockSchema schema() {
        return lease.model().manifest().blocks();
    }

    /** The node types; of a node with several of these labels the first one counts. */
    private List<String> labels() {
        return schema().types().stream().map(BlockSchema.NodeType::label).toList();
    }

    private ProjectedNeighbours.Access access() {
        return new ProjectedNeighbours.Access(gnn.services().graphCaches(), gnn.databaseName(), owner, projection, guard);
    }

    /** Relationships that the model reads, once for each direction it reads them in. */
    long relationships() {
        return access().relationships(BlockEmbedder.plan(schema()), labels());
    }

    ProjectedGraph projection() {
        return projection;
    }

    TypedGraph graph() {
        return graph;
    }

    GraphEmbedder embedder() {
        return embedder;
    }

    LiveGraph live() {
        return live;
    }

    /** Bytes by what they are for. @param keepsVectors whether all vectors are held at once */
    Map<String, Object> estimate(boolean keepsVectors) {
        var parts = new LinkedHashMap<String, Object>();
        parts.put("neighbours", access().bytes(BlockEmbedder.plan(schema()), labels()).stream().mapToLong(bytes -> bytes).sum());
        parts.put("features", ProjectedFeatures.bytes(schema(), graph));
        parts.put("vectors", keepsVectors ? vectorBytes() : 0L);
        parts.put("batchesOutsideTheHeap", embedder.nativeBytes());
        return parts;
    }

    private long vectorBytes() {
        return embedder.nodes() * (4L * model().dimension() + 16);
    }

    /** The vectors, batch after batch; threads end when this call is closed. */
    Stream<GraphEmbedder.Batch> vectors(boolean keepsVectors, Consumer<String> progress) {
        return vectors(keepsVectors, neighbours -> neighbours, progress);
    }

    /** @param filter makes of the neighbours those that the model is to see */
    Stream<GraphEmbedder.Batch> vectors(
            boolean keepsVectors, Function<NeighbourSource, NeighbourSource> filter, Consumer<String> progress) {
        var bytes = ProjectedFeatures.bytes(schema(), graph) + (keepsVectors ? vectorBytes() : 0);
        held.push(gnn.services().memory().reserve(
            "the features of", projection.name(), gnn.databaseName(), gnn.user(), bytes, () -> { })::close);
        progress.accept("encoding features");
        var features = ProjectedFeatures.read(schema(), graph, live::property, guard);
        progress.accept("reading relationships");
        var neighbours = ProjectedNeighbours.open(access(), BlockEmbedder.plan(schema()), labels());
        held.push(neighbours);
        var source = filter.apply(neighbours);
        var models = lease.blocksModel(tx);
        var inputs = model().manifest().inputs();
        var batches = embedder.embed(
            () -> new BlockEmbedder(schema(), inputs, source, features, models.get()), guard, progress);
        held.push(batches);
        return batches.peek(batch -> projection.requireCurrent());
    }

    /** All of {@link #vectors}, by label and index. */
    Map<String, float[][]> collect(Stream<GraphEmbedder.Batch> batches) {
        var vectors = new HashMap<String, float[][]>();
        embedder.labels().forEach(label -> vectors.put(label, new float[graph.nodeCount(label)][]));
        batches.forEach(batch -> {
            for (int i = 0; i < batch.count(); i++) {
                vectors.get(batch.label())[batch.from() + i] = batch.vector(i, model().dimension());
            }
        });
        return vectors;
    }

    /** The nodes of a label with their keys of now, against which they are checked when they are written. */
    VectorWriter.Rows rows(String label) {
        var key = schema().types().get(schema().number(label)).key();
        return VectorWriter.Rows.read(
            live::property, label, key, graph.nodeCount(label), index -> graph.nodeId(label, index), guard);
    }

    @Override
    public void close() {
        held.close();
    }
}
