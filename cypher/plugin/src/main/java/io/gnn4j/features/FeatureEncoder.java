// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import io.gnn4j.artefact.BlockSchema.Feature;
import io.gnn4j.config.ConfigMap;
import io.gnn4j.graph.NodeColumn;
import java.lang.reflect.Array;
import java.util.Arrays;

/**
 * One feature's columns from its values: float32 with NaN for the missing, or codes. Source: docs/formats.md section 7,
 * "Features"; {@code tests/golden/feature_encoders.json} has values that Python gives as well. Safe for several threads.
 */
final class FeatureEncoder {
    private static final int PADDING = -1;

    private final Feature feature;
    private final TextCodes texts;

    FeatureEncoder(Feature feature) {
        this.feature = feature;
        texts = !feature.encoder().isCoded() ? null
            : feature.vocabulary() == null ? TextCodes.hashed(feature.buckets()) : TextCodes.of(feature.vocabulary());
    }

    Feature feature() {
        return feature;
    }

    /**
     * @param value as it stands on a node; null where it is absent
     * @param x [at, at + columns) is written unless the feature has codes; then it is {@code codes}
     * @throws FeatureFault for values of another type or width, and numbers beyond float32
     */
    void encode(Object value, float[] x, int[] codes, int at) {
        switch (feature.encoder()) {
            case NUMBER -> x[at] = number(value);
            case BOOL -> x[at] = truth(value);
            case CATEGORY -> codes[at] = category(value);
            case LIST -> list(value, codes, at);
            case VECTOR -> vector(value, x, at);
            default -> throw new IllegalStateException("No encoder " + feature.encoder());
        }
    }

    /**
     * As {@link #encode}, from what GDS projects under {@link Feature#projected()}.
     *
     * @throws FeatureFault for codes that the feature does not have, too
     */
    void encodeProjected(NodeColumn column, int index, float[] x, int[] codes, int at) {
        var value = read(column, index);
        switch (feature.encoder()) {
            case NUMBER -> x[at] = number(value);
            case BOOL -> x[at] = truthCode(value);
            case CATEGORY -> codes[at] = code(value);
            case LIST -> listOfCodes(value, codes, at);
            case VECTOR -> vector(value, x, at);
            default -> throw new IllegalStateException("No encoder " + feature.encoder());
        }
    }

    /** What is missing becomes null. */
    private static Object read(NodeColumn column, int index) {
        if (column.isMissing(index)) {
            return null;
        }
        return switch (column.spec().type()) {
            case LONG -> column.longAt(index);
            case DOUBLE -> column.doubleAt(index);
            case FLOAT_ARRAY -> column.floatsAt(index);
            case DOUBLE_ARRAY -> column.doublesAt(index);
            case LONG_ARRAY -> column.longsAt(index);
        };
    }

    private static float number(Object value) {
        if (value == null || value instanceof Long whole && whole == Long.MIN_VALUE) {
            return Float.NaN;
        }
        if (!(value instanceof Number number)) {
            throw new FeatureFault("A number", value);
        }
        return narrow(number.doubleValue(), value);
    }

    private static float narrow(double wide, Object value) {
        var narrow = (float) wide;
        if (Float.isInfinite(narrow)) {
            throw new FeatureFault("A number that float32 can hold", value);
        }
        return narrow;
    }

    private static float truth(Object value) {
        if (value == null) {
            return Float.NaN;
        }
        if (!(value instanceof Boolean truth)) {
            throw new FeatureFault("A truth value", value);
        }
        return truth ? 1 : 0;
    }

    private static float truthCode(Object value) {
        var code = number(value);
        if (!Float.isNaN(code) && code != 0 && code != 1) {
            throw new FeatureFault("The code 0 or 1 of a truth value", value);
        }
        return code;
    }

    private int category(Object value) {
        // A char is what a text of one letter is stored as from Java; a whole number is its digits, so a key can be a category.
        if (value != null && !(value instanceof String || value instanceof Character || isWhole(value))) {
            throw new FeatureFault("A text or an INTEGER", value);
        }
        return texts.code(value == null ? null : value.toString());
    }

    private static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte;
    }

    private int code(Object value) {
        if (value == null || value instanceof Long whole && whole == Long.MIN_VALUE || value instanceof Double real && real.isNaN()) {
            return TextCodes.MISSING;
        }
        var code = value instanceof Number number ? number.doubleValue() : -1;
        if (!(code >= 0 && code < feature.codes()) || code != Math.rint(code)) {
            throw new FeatureFault("A code from 0 to " + (feature.codes() - 1) + " (write the codes anew with the vocabulary of the model)",
                value);
        }
        return (int) code;
    }

    private void list(Object value, int[] codes, int at) {
        if (value != null && !(value instanceof String[]) && !(value.getClass().isArray() && Array.getLength(value) == 0)) {
            throw new FeatureFault("A list of texts", value);
        }
        var length = value == null ? 0 : Math.min(feature.columns(), Array.getLength(value));
        for (int i = 0; i < length; i++) {
            codes[at + i] = texts.code(((String[]) value)[i]);
        }
        pad(codes, at, length);
    }

    private void listOfCodes(Object value, int[] codes, int at) {
        if (value != null && !value.getClass().isArray()) {
            throw new FeatureFault("A list of codes", value);
        }
        var length = value == null ? 0 : Math.min(feature.columns(), Array.getLength(value));
        for (int i = 0; i < length; i++) {
            codes[at + i] = code(Array.get(value, i));
        }
        pad(codes, at, length);
    }

    private void pad(int[] codes, int at, int length) {
        if (length == 0) {
            codes[at] = TextCodes.MISSING;
        }
        Arrays.fill(codes, at + Math.max(1, length), at + feature.columns(), PADDING);
    }

    private void vector(Object value, float[] x, int at) {
        var width = feature.columns();
        switch (value) {
            case null -> Arrays.fill(x, at, at + width, Float.NaN);
            case float[] floats when floats.length == width -> {
                for (int i = 0; i < width; i++) {
                    x[at + i] = narrow(floats[i], value);
                }
            }
            case double[] doubles when doubles.length == width -> {
                for (int i = 0; i < width; i++) {
                    x[at + i] = narrow(doubles[i], value);
                }
            }
            default -> {
                if (!value.getClass().isArray() || Array.getLength(value) != width) {
                    throw new FeatureFault("A list of " + width + " numbers", value);
                }
                for (int i = 0; i < width; i++) {
                    if (!(Array.get(value, i) instanceof Number number)) {
                        throw new FeatureFault("A list of " + width + " numbers", value);
                    }
                    x[at + i] = narrow(number.doubleValue(), value);
                }
            }
        }
    }

    static String shown(Object value) {
        return value.getClass().isArray() ? "a list of " + Array.getLength(value) : ConfigMap.describe(value);
    }
}
