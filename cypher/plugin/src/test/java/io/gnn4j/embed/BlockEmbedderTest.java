// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.features.LiveFeatures;
import io.gnn4j.features.PropertyReader;
import io.gnn4j.inference.BlocksModel;
import io.gnn4j.inference.InputTensor;
import io.gnn4j.inference.OnnxBlocksModel;
import io.gnn4j.inference.OnnxModel;
import io.gnn4j.sample.NeighbourList;
import io.gnn4j.sample.NeighbourSource;
import io.gnn4j.sample.SamplePlan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The graph of {@code tests/golden/padded_blocks}: every tensor and every vector worked by hand. */
class BlockEmbedderTest {
    private static final Manifest MANIFEST = Manifest.parse(Golden.bytes("padded_blocks/manifest.json"));
    private static final JsonNode GRAPH = json("padded_blocks/graph.json");
    private static final JsonNode BATCHES = json("padded_blocks/batches.json").get("batches");

    private static JsonNode json(String path) {
        try {
            return new ObjectMapper().readTree(Golden.bytes(path));
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Keys stand for Neo4j ids: within a label they ascend alike. */
    private static final class HandGraph implements NeighbourSource {
        private final SamplePlan plan = BlockEmbedder.plan(MANIFEST.blocks());
        private final List<List<Long>> ids = new ArrayList<>();

        HandGraph() {
            for (var label : plan.nodeTypes()) {
                var own = new ArrayList<Long>();
                GRAPH.get("nodes").forEach(node -> {
                    if (node.get("label").asText().equals(label)) {
                        own.add(node.get("key").asLong());
                    }
                });
                own.sort(null);
                ids.add(own);
            }
        }

        @Override
        public int number(int type, long nodeId) {
            return ids.get(type).indexOf(nodeId);
        }

        @Override
        public long nodeId(int type, int number) {
            return ids.get(type).get(number);
        }

        @Override
        public int count(int type) {
            return ids.get(type).size();
        }

        @Override
        public boolean isOrdered() {
            return true;
        }

        @Override
        public NeighbourList neighbours(int relation) {
            var sampled = plan.relations().get(relation);
            var sender = plan.nodeTypes().indexOf(sampled.sender());
            var receiver = plan.nodeTypes().indexOf(sampled.receiver());
            return new NeighbourList() {
                {
                    if (sampled.type().equals("SIMILAR")) {
                        properties = new double[1][];
                        properties[0] = new double[8];
                    }
                }

                @Override
                protected void read(int number) {
                    var found = new TreeMap<Integer, Double>();
                    for (var one : GRAPH.get("relationships")) {
                        var from = one.get(sampled.incoming() ? "target" : "source").asLong();
                        var to = one.get(sampled.incoming() ? "source" : "target").asLong();
                        if (one.get("type").asText().equals(sampled.type()) && to == ids.get(receiver).get(number)) {
                            found.put(ids.get(sender).indexOf(from), one.get("properties").path("weight").asDouble(Double.NaN));
                        }
                    }
                    senders = found.keySet().stream().mapToInt(sent -> sent).toArray();
                    if (properties != null) {
                        properties[0] = found.values().stream().mapToDouble(weight -> weight).toArray();
                    }
                    from = 0;
                    to = senders.length;
                }
            };
        }
    }

    private static final PropertyReader STORED = (id, name) -> {
        for (var node : GRAPH.get("nodes")) {
            if (node.get("key").asLong() == id) {
                return value(node.get("properties").get(name));
            }
        }
        return null;
    };

    private static Object value(JsonNode value) {
        if (value == null) {
            return null;
        }
        if (value.isArray()) {
            var texts = new ArrayList<String>();
            var numbers = new ArrayList<Double>();
            value.forEach(one -> {
                texts.add(one.asText());
                numbers.add(one.asDouble());
            });
            return value.size() > 0 && value.get(0).isNumber() ? numbers.stream().mapToDouble(one -> one).toArray()
                : texts.toArray(String[]::new);
        }
        return value.isTextual() ? value.asText() : value.isBoolean() ? (Object) value.asBoolean()
            : value.isIntegralNumber() ? (Object) value.asLong() : (Object) value.asDouble();
    }

    private static BlockEmbedder embedder(BlocksModel model) {
        return new BlockEmbedder(
            MANIFEST.blocks(), MANIFEST.inputs(), new HandGraph(), new LiveFeatures(MANIFEST.blocks(), STORED), model);
    }

    /** Keeps the tensors it is given. */
    private static final class Recorder implements BlocksModel {
        final Map<String, InputTensor> shapes = new HashMap<>();
        final Map<String, List<Double>> values = new HashMap<>();

        @Override
        public int dimension() {
            return 2;
        }

        @Override
        public float[] encode(int seeds, List<InputTensor> inputs) {
            for (var input : inputs) {
                var buffer = ByteBuffer.allocate((int) input.bytes()).order(ByteOrder.nativeOrder());
                input.writer().accept(buffer);
                var found = new ArrayList<Double>();
                while (buffer.hasRemaining()) {
                    found.add(input.isFloat() ? (double) buffer.getFloat() : (double) buffer.getLong());
                }
                shapes.put(input.name(), input);
                values.put(input.name(), found);
            }
            return new float[2 * seeds];
        }

        @Override
        public void end() {
        }
    }

    @Test
    void everyTensorOfTheBatchesOfOneLabelIsTheOneWrittenByHand() {
        for (var batch : List.of(BATCHES.get(1), BATCHES.get(2))) {
            var recorder = new Recorder();
            embedder(recorder).embed("User", new long[] {batch.get("seeds").get(0).get(1).asLong()});
            assertThat(recorder.values).hasSize(batch.get("tensors").size());
            batch.get("tensors").fields().forEachRemaining(entry -> {
                var shape = new ArrayList<Long>();
                entry.getValue().get("shape").forEach(size -> shape.add(size.asLong()));
                assertThat(recorder.shapes.get(entry.getKey()).shape()).as(entry.getKey())
                    .containsExactly(shape.stream().mapToLong(size -> size).toArray());
                var data = new ArrayList<Double>();
                entry.getValue().get("data").forEach(one -> data.add(one.isNull() ? Double.NaN : (double) (float) one.asDouble()));
                assertThat(recorder.values.get(entry.getKey())).as(entry.getKey()).isEqualTo(data);
            });
        }
    }

    @Test
    void vectorsAreThoseWorkedByHandWhoeverSharesTheBatch() {
        try (var onnx = OnnxModel.open(MANIFEST, Golden.bytes("padded_blocks/model.onnx"), 1)) {
            var embedder = embedder(new OnnxBlocksModel(onnx, 2));
            assertThat(embedder.embed("Item", new long[] {101})).containsExactly(9.875f, -7.75f);
            assertThat(embedder.embed("Item", new long[] {101, 104, 101})).containsExactly(9.875f, -7.75f, 0, -2, 9.875f, -7.75f);
            assertThat(embedder.embed("User", new long[] {3, 2, 1})).containsExactly(-2, 0, 17.75f, 0.25f, 4.375f, 6.375f);
            assertThat(embedder.embed("User", new long[0])).isEmpty();
        }
    }

    @Test
    void aValueOfAnotherTypeIsNamedWithItsNode() {
        var features = new LiveFeatures(MANIFEST.blocks(), (id, name) -> name.equals("age") ? "forty" : null);
        var embedder = new BlockEmbedder(MANIFEST.blocks(), MANIFEST.inputs(), new HandGraph(), features, new Recorder());
        assertThatThrownBy(() -> embedder.embed("User", new long[] {3})).isInstanceOf(IllegalArgumentException.class)
            .hasMessage("Feature `age` of :User node 3 cannot be encoded as number: A number is expected, found STRING forty.");
    }

    @Test
    void afterItsEndAModelGivesNothing() {
        try (var onnx = OnnxModel.open(MANIFEST, Golden.bytes("padded_blocks/model.onnx"), 1)) {
            var embedder = embedder(new OnnxBlocksModel(onnx, 2));
            embedder.end();
            assertThatThrownBy(() -> embedder.embed("Item", new long[] {101})).hasMessageContaining("ONNX Runtime");
            assertThat(embedder(new OnnxBlocksModel(onnx, 2)).embed("Item", new long[] {101})).containsExactly(9.875f, -7.75f);
        }
    }
}
