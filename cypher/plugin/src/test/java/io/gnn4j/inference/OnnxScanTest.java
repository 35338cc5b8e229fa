// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.artefact.TensorSpec;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.ZipInputStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class OnnxScanTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static Map<String, byte[]> hostile() throws IOException {
        var files = new HashMap<String, byte[]>();
        try (var zip = new ZipInputStream(new ByteArrayInputStream(Golden.bytes("hostile/models.zip")))) {
            for (var entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                files.put(entry.getName(), zip.readAllBytes());
            }
        }
        return files;
    }

    @Test
    void findsInEveryHostileFileWhatTheOtherLanguageFinds() throws IOException {
        var expected = JSON.readValue(Golden.bytes("hostile/expected.json"), new TypeReference<TreeMap<String, TreeSet<String>>>() {});
        var found = new TreeMap<String, Set<String>>();
        hostile().forEach((name, bytes) -> {
            var codes = new TreeSet<String>();
            OnnxScan.scan(bytes).findings().forEach(finding -> codes.add(finding.code()));
            found.put(name, codes);
        });
        assertThat(found).hasSizeGreaterThan(80).containsExactlyEntriesOf(expected);
    }

    @Test
    void allowsTheOperatorsThatTheExporterAllows() throws IOException {
        var shared = JSON.readValue(Golden.bytes("hostile/operators.json"), new TypeReference<TreeSet<String>>() {});
        assertThat(new TreeSet<>(OnnxScan.OPERATORS)).isEqualTo(shared);
    }

    @Test
    void readsTheSignatureOfAGoodFile() {
        assertThat(OnnxScan.check(Golden.bytes("item_propagation/model.onnx"))).isEqualTo(new OnnxScan.Result(List.of(),
            List.of(new TensorSpec("context", "float32", List.of(-1L, -1L, 2L)),
                new TensorSpec("weight", "float32", List.of(-1L, -1L)), new TensorSpec("degree", "float32", List.of(-1L))),
            List.of(new TensorSpec("query", "float32", List.of(-1L, 2L)))));
    }

    @Test
    void namesTheReasonAndItsCode() throws IOException {
        var file = hostile().get("constant_of_shape_256_gib.onnx");
        assertThatThrownBy(() -> OnnxScan.check(file)).isInstanceOf(ModelRefused.class)
            .hasMessageContaining("elements; at most 16777216 may be asked for by a constant. [allocation]");
    }

    @Property(tries = 300, seed = "1")
    void survivesAnyBytes(@ForAll byte[] bytes) {
        assertThat(OnnxScan.scan(bytes).findings()).isNotEmpty();
    }

    @Property(tries = 500, seed = "1")
    void survivesAGoodFileWithAnyByteChanged(@ForAll @IntRange(min = 0, max = 1072) int at, @ForAll byte value,
            @ForAll @Size(max = 4) byte[] tail) {
        var bytes = Golden.bytes("item_propagation/model.onnx");
        bytes[at] = value;
        var longer = java.util.Arrays.copyOf(bytes, bytes.length + tail.length);
        System.arraycopy(tail, 0, longer, bytes.length, tail.length);
        assertThat(OnnxScan.scan(longer)).isNotNull();
    }
}
