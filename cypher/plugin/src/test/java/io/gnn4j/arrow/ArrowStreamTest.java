// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The resources were written by pyarrow; what Python reads of ours is tested where Python runs. */
class ArrowStreamTest {
    private static byte[] resource(String name) throws IOException {
        try (var in = ArrowStreamTest.class.getResourceAsStream("/arrow/" + name)) {
            return in.readAllBytes();
        }
    }

    @Test
    void readsEveryTypeThatPyarrowWrites() throws IOException {
        try (var reader = ArrowStreamReader.of(resource("every_type.arrows"))) {
            assertThat(reader.metadata()).containsEntry("gnn", "{}");
            assertThat(reader.fields().stream().map(field -> field.name() + " " + field.typeName())).containsExactly(
                "nodeId int64", "key utf8", "big utf8", "rank int32", "score float64", "vector fixed_size_list<float32>[3]",
                "tags list<int64>", "wide fixed_size_list<float64>[2]");
            var batch = reader.next().orElseThrow();
            assertThat(batch.rows()).isEqualTo(3);
            assertThat(batch.longAt(0, 2)).isEqualTo(102);
            assertThat(batch.textAt(1, 2)).isEqualTo("kéy102");
            assertThat(batch.isNull(1, 1)).isTrue();
            assertThat(batch.isNull(1, 2)).isFalse();
            assertThat(batch.textAt(2, 1)).isEqualTo("B1");
            assertThat(batch.longAt(3, 2)).isEqualTo(2);
            assertThat(batch.doubleAt(4, 1)).isEqualTo(0.25);
            assertThat(batch.isNull(4, 2)).isTrue();
            assertThat(batch.isNull(5, 0)).isTrue();
            assertThat(batch.floatsAt(5, 2)).containsExactly(102f, 2f, 0.5f);
            assertThat(batch.longsAt(6, 2)).containsExactly(0L, 1L);
            assertThat(batch.length(6, 0)).isZero();
            assertThat(batch.doublesAt(7, 1)).containsExactly(1, 1 / 3.0);
            assertThat(reader.next().orElseThrow().rows()).isZero();
            var sliced = reader.next().orElseThrow();
            assertThat(sliced.longAt(0, 0)).isEqualTo(207);
            assertThat(sliced.longsAt(6, 1)).hasSize(8);
            assertThat(sliced.floatsAt(5, 1)).containsExactly(208f, 8f, 0.5f);
            assertThat(reader.next()).isEmpty();
            assertThat(reader.next()).isEmpty();
        }
    }

    @Test
    void whatItWritesItReads() {
        var writer = new ArrowStreamWriter(
            List.of(ArrowField.scalar("id", Element.INT64), new ArrowField("age", Element.FLOAT64, 0, true),
                new ArrowField("vector", Element.FLOAT32, 2, true), new ArrowField("tags", Element.INT64, ArrowField.VARIABLE, false),
                ArrowField.scalar("text", Element.UTF8)),
            Map.of("k", "ü"));
        var text = "héé".getBytes(java.nio.charset.StandardCharsets.UTF_8);
        var batch = writer.batch(9, new int[] {0, 0, 0, 3, text.length});
        for (int row = 0; row < 9; row++) {
            batch.setLong(0, row, 1L << 40 | row);
            batch.setDouble(1, row, row / 2.0);
            batch.setFloats(2, 2 * row, new float[] {row, -row}, 0, 2);
            batch.setEnd(3, row, row < 8 ? 0 : 3);
            batch.setEnd(4, row, text.length);
        }
        batch.setLongs(3, 0, new long[] {7, 8, 9}, 0, 3);
        batch.setUtf8(4, 0, text);
        batch.setNull(1, 8);
        batch.setNull(2, 0);
        var reader = ArrowStreamReader.of(batch.finish());
        assertThat(reader.metadata()).containsExactly(Map.entry("k", "ü"));
        var read = reader.next().orElseThrow();
        assertThat(read.longAt(0, 8)).isEqualTo(1L << 40 | 8);
        assertThat(read.isNull(1, 8)).isTrue();
        assertThat(read.doubleAt(1, 7)).isEqualTo(3.5);
        assertThat(read.isNull(2, 0)).isTrue();
        assertThat(read.floatsAt(2, 8)).containsExactly(8f, -8f);
        assertThat(read.longsAt(3, 8)).containsExactly(7, 8, 9);
        assertThat(read.textAt(4, 0)).isEqualTo("héé");
        assertThat(read.textAt(4, 5)).isEmpty();
        assertThat(reader.next()).isEmpty();
        assertThat(ArrowStreamReader.of(writer.schemaOnly()).next()).isEmpty();
    }

    @Test
    void otherFormatsAreNamed() throws IOException {
        assertThatThrownBy(() -> ArrowStreamReader.of("ARROW1\0\0".getBytes())).hasMessageContaining("an Arrow file");
        assertThatThrownBy(() -> ArrowStreamReader.of("{\"a\": 1}".getBytes())).hasMessage("These bytes are no Arrow IPC stream.");
        assertThatThrownBy(() -> ArrowStreamReader.of(new byte[0])).hasMessageContaining("empty");
        assertThatThrownBy(() -> ArrowStreamReader.of(resource("dictionary.arrows")).next()).hasMessageContaining("dictionary-encoded");
        assertThatThrownBy(() -> ArrowStreamReader.of(resource("compressed.arrows")).next()).hasMessageContaining("without compression");
        assertThatThrownBy(() -> new ArrowStreamReader(new ByteArrayInputStream(resource("every_type.arrows")), 100).next())
            .hasMessageContaining("100 bytes allowed");
    }

    /** Every truncation and thousands of flipped bytes end in InvalidArrow or in values, never in anything else. */
    @Test
    void brokenBytesAreRefusedInWords() throws IOException {
        var good = resource("every_type.arrows");
        var random = new Random(3);
        int refused = 0;
        for (int attempt = 0; attempt < 20_000; attempt++) {
            byte[] bad;
            if (attempt < good.length) {
                bad = Arrays.copyOf(good, attempt);
            } else {
                bad = good.clone();
                for (int flips = random.nextInt(3); flips >= 0; flips--) {
                    bad[random.nextInt(bad.length)] = (byte) random.nextInt();
                }
            }
            try (var reader = ArrowStreamReader.of(bad)) {
                for (var batch = reader.next(); batch.isPresent(); batch = reader.next()) {
                    readAll(reader, batch.get());
                }
            } catch (InvalidArrow expected) {
                refused++;
            }
        }
        assertThat(refused).isGreaterThan(good.length / 2);
    }

    private static void readAll(ArrowStreamReader reader, ArrowBatch batch) {
        for (int c = 0; c < reader.fields().size(); c++) {
            var field = reader.fields().get(c);
            for (int row = 0; row < batch.rows(); row++) {
                if (batch.isNull(c, row)) {
                    continue;
                }
                if (field.isList()) {
                    assertThat(batch.doublesAt(c, row)).hasSize(batch.length(c, row));
                } else if (field.element() == Element.UTF8) {
                    assertThat(batch.textAt(c, row)).isNotNull();
                } else {
                    batch.doubleAt(c, row);
                }
            }
        }
    }
}
