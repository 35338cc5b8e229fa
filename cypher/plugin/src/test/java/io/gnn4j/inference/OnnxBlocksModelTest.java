// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.artefact.Manifest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The batches worked by hand, tensor by tensor, through ONNX Runtime in this JVM. */
class OnnxBlocksModelTest {
    private static OnnxModel open() {
        return OnnxModel.open(
            Manifest.parse(Golden.bytes("padded_blocks/manifest.json")), Golden.bytes("padded_blocks/model.onnx"), 1);
    }

    private static InputTensor tensor(String name, JsonNode entry) {
        var shape = new long[entry.get("shape").size()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = entry.get("shape").get(i).asLong();
        }
        var data = entry.get("data");
        var isFloat = entry.get("dtype").asText().equals("float32");
        return new InputTensor(name, isFloat, shape, buffer -> {
            for (int i = 0; i < data.size(); i++) {
                if (isFloat) {
                    buffer.putFloat(data.get(i).isNull() ? Float.NaN : (float) data.get(i).asDouble());
                } else {
                    buffer.putLong(data.get(i).asLong());
                }
            }
        });
    }

    @Test
    void oneModelGivesTheOutputsWorkedByHandBatchAfterBatch() throws IOException {
        try (var onnx = open()) {
            var model = new OnnxBlocksModel(onnx, 2);
            for (var batch : new ObjectMapper().readTree(Golden.bytes("padded_blocks/batches.json")).get("batches")) {
                var inputs = new ArrayList<InputTensor>();
                batch.get("tensors").fields().forEachRemaining(entry -> inputs.add(tensor(entry.getKey(), entry.getValue())));
                var found = model.encode(batch.get("seeds").size(), inputs);
                var expected = batch.get("output").get("data");
                assertThat(found).hasSize(expected.size());
                for (int i = 0; i < found.length; i++) {
                    assertThat(found[i]).as(batch.get("name").asText()).isEqualTo((float) expected.get(i).asDouble());
                }
            }
        }
    }

    @Test
    void aBatchThatTakesTooMuchMemoryIsRefusedBeforeAnyIsTaken() {
        try (var onnx = open()) {
            var huge = new InputTensor("seed", false, new long[] {1L << 28}, buffer -> {
                throw new AssertionError("nothing may be written");
            });
            assertThatThrownBy(() -> new OnnxBlocksModel(onnx, 2).encode(1 << 28, List.of(huge)))
                .hasMessageContaining("takes 2048 MB of tensors, but at most 1024 MB are allowed. Use a smaller `batchSize`");
        }
    }
}
