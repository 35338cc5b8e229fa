// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.BlockSchema.Encoder;
import io.gnn4j.artefact.BlockSchema.Feature;
import io.gnn4j.artefact.Golden;
import io.gnn4j.graph.NodeColumn;
import io.gnn4j.graph.PropertySpec;
import io.gnn4j.graph.PropertyType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** The values both languages share: {@code tests/golden/feature_encoders.json}. */
class FeatureEncoderTest {
    private static final JsonNode GOLDEN = golden();

    private static JsonNode golden() {
        try {
            return new ObjectMapper().readTree(Golden.bytes("feature_encoders.json"));
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static Feature feature(JsonNode map) {
        var encoder = Encoder.valueOf(map.get("encoder").asText().toUpperCase(Locale.ROOT));
        List<String> vocabulary = null;
        if (map.has("vocabulary")) {
            vocabulary = new ArrayList<>();
            for (var text : map.get("vocabulary")) {
                vocabulary.add(text.asText());
            }
        }
        var columns = map.has("length") ? map.get("length").asInt() : map.has("width") ? map.get("width").asInt() : 1;
        return new Feature(
            map.get("property").asText(), encoder, vocabulary == null ? null : Feature.numbered(vocabulary),
            map.path("buckets").asInt(0), columns);
    }

    /** As the store or a projection gives it: lists are arrays of one type. */
    private static Object held(JsonNode value, boolean projected) {
        if (value.isNull()) {
            return null;
        }
        if (value.isObject()) {
            return Double.valueOf(value.get("float").asText());
        }
        if (value.isArray()) {
            return array(value, projected);
        }
        return value.isTextual() ? value.asText() : value.isBoolean() ? (Object) value.asBoolean()
            : value.isIntegralNumber() ? (Object) value.asLong() : (Object) value.asDouble();
    }

    private static Object array(JsonNode value, boolean projected) {
        var found = new ArrayList<Object>();
        value.forEach(one -> found.add(held(one, projected)));
        if (found.isEmpty()) {
            return projected ? new double[0] : new String[0];
        }
        if (found.stream().allMatch(one -> one == null || one instanceof String)) {
            return found.toArray(String[]::new);
        }
        return found.stream().allMatch(Long.class::isInstance)
            ? found.stream().mapToLong(one -> (Long) one).toArray()
            : found.stream().noneMatch(String.class::isInstance)
                ? found.stream().mapToDouble(one -> ((Number) one).doubleValue()).toArray() : found.toArray();
    }

    /** A column of one node, as GDS holds it. */
    private record Projected(Object value) implements NodeColumn {
        @Override
        public PropertySpec spec() {
            return new PropertySpec("p", switch (value) {
                case Long whole -> PropertyType.LONG;
                case Double real -> PropertyType.DOUBLE;
                case long[] wholes -> PropertyType.LONG_ARRAY;
                case null, default -> PropertyType.DOUBLE_ARRAY;
            });
        }

        @Override
        public boolean isMissing(int index) {
            return value == null || value instanceof Long whole && whole == Long.MIN_VALUE
                || value instanceof Double real && real.isNaN();
        }

        @Override
        public int length(int index) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long longAt(int index) {
            return (long) value;
        }

        @Override
        public double doubleAt(int index) {
            return (double) value;
        }

        @Override
        public float[] floatsAt(int index) {
            return (float[]) value;
        }

        @Override
        public double[] doublesAt(int index) {
            return (double[]) value;
        }

        @Override
        public long[] longsAt(int index) {
            return (long[]) value;
        }
    }

    private static void check(JsonNode one, JsonNode value, JsonNode expected, boolean projected) {
        var feature = feature(one.get("feature"));
        var x = new float[feature.columns() + 2];
        var codes = new int[feature.columns() + 2];
        encode(feature, held(value, projected), x, codes, projected);
        for (int c = 0; c < feature.columns(); c++) {
            var wanted = expected.get(c);
            if (feature.encoder().isCoded()) {
                assertThat(codes[c + 1]).as("%s of %s", one.get("why"), value).isEqualTo(wanted.asInt());
            } else {
                assertThat(Float.valueOf(x[c + 1])).as("%s of %s", one.get("why"), value)
                    .isEqualTo(Float.valueOf(wanted.isNull() ? Float.NaN : (float) wanted.asDouble()));
            }
        }
        // What stands beside it is another feature's.
        assertThat(List.of(x[0], x[feature.columns() + 1])).containsOnly(0f);
        assertThat(List.of(codes[0], codes[feature.columns() + 1])).containsOnly(0);
    }

    private static void encode(Feature feature, Object value, float[] x, int[] codes, boolean projected) {
        if (projected) {
            new FeatureEncoder(feature).encodeProjected(new Projected(value), 0, x, codes, 1);
        } else {
            new FeatureEncoder(feature).encode(value, x, codes, 1);
        }
    }

    @Test
    void storedValuesBecomeTheColumnsOfTheGoldenFile() {
        for (var one : GOLDEN.get("encoded")) {
            for (int i = 0; i < one.get("values").size(); i++) {
                check(one, one.get("values").get(i), one.get("columns").get(i), false);
            }
        }
    }

    @Test
    void projectedValuesBecomeTheColumnsOfTheGoldenFile() {
        for (var one : GOLDEN.get("projected")) {
            assertThat(feature(one.get("feature")).projected()).isEqualTo(one.get("projected").asText());
            for (int i = 0; i < one.get("values").size(); i++) {
                check(one, one.get("values").get(i), one.get("columns").get(i), true);
            }
        }
    }

    @Test
    void valuesThatAreNoneOfTheEncodersAreRefused() {
        for (var list : List.of("refused", "refusedProjected")) {
            var projected = !list.equals("refused");
            for (var one : GOLDEN.get(list)) {
                var feature = feature(one.get("feature"));
                assertThatThrownBy(() -> encode(feature, held(one.get("value"), projected), new float[8], new int[8], projected))
                    .as("%s", one).isInstanceOf(FeatureFault.class).hasMessageContaining("is expected, found");
            }
        }
    }

    @Test
    void theHashIsXxh64() {
        for (var one : GOLDEN.get("xxh64")) {
            assertThat(Long.toHexString(XxHash64.hash(one.get("text").asText().getBytes(StandardCharsets.UTF_8))))
                .as("%s", one).isEqualTo(one.get("hash").asText());
        }
    }
}
