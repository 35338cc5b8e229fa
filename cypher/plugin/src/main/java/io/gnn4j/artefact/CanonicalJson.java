// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON with sorted keys, no blanks and UTF-8 text, so that equal content has equal bytes and one hash.
 *
 * <p>Numbers keep their text: languages print floats differently, and a hash must not depend on that.
 */
public final class CanonicalJson {
    /** A number as it was written. */
    public record Number(String text) {
        boolean isInteger() {
            return text.indexOf('.') < 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0;
        }
    }

    private static final JsonFactory FACTORY = JsonFactory.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64).build())
        .build();
    // By code point, as the writer in Python sorts; String.compareTo would sort by UTF-16 unit.
    static final Comparator<String> BY_CODE_POINT =
        (left, right) -> java.util.Arrays.compare(left.codePoints().toArray(), right.codePoints().toArray());

    private CanonicalJson() {}

    /**
     * A tree of {@code Map<String, Object>}, {@code List<Object>}, String, Boolean, {@link Number} and null.
     *
     * @throws ModelRefused when the bytes are not exactly one JSON value
     */
    public static Object parse(String what, byte[] bytes) {
        try (var parser = FACTORY.createParser(bytes)) {
            parser.nextToken();
            var tree = value(parser);
            if (parser.nextToken() != null) {
                throw new ModelRefused(what, "There is text after the JSON value.");
            }
            return tree;
        } catch (IOException broken) {
            var message = String.valueOf(broken.getMessage()).split("\n", 2)[0];
            throw new ModelRefused(what, "It is not JSON: " + message + ".");
        }
    }

    private static Object value(JsonParser parser) throws IOException {
        var token = parser.currentToken();
        if (token == null) {
            throw new IOException("it is empty or cut off");
        }
        return switch (token) {
            case START_OBJECT -> {
                var map = new LinkedHashMap<String, Object>();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    var key = parser.currentName();
                    parser.nextToken();
                    map.put(key, value(parser));
                }
                yield map;
            }
            case START_ARRAY -> {
                var list = new ArrayList<Object>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(parser));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> new Number(parser.getText());
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_NULL -> null;
            default -> throw new IOException("unexpected " + token);
        };
    }

    /** The one byte sequence of a tree that {@link #parse} gave. */
    public static byte[] write(Object tree) {
        var text = new StringBuilder();
        append(text, tree);
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void append(StringBuilder text, Object value) {
        if (value instanceof Map<?, ?> map) {
            text.append('{');
            var first = true;
            for (var key : map.keySet().stream().map(String.class::cast).sorted(BY_CODE_POINT).toList()) {
                if (!first) {
                    text.append(',');
                }
                first = false;
                quote(text, key);
                text.append(':');
                append(text, map.get(key));
            }
            text.append('}');
        } else if (value instanceof List<?> list) {
            text.append('[');
            for (int i = 0; i < list.size(); i++) {
                if (i > 0) {
                    text.append(',');
                }
                append(text, list.get(i));
            }
            text.append(']');
        } else if (value instanceof String string) {
            quote(text, string);
        } else if (value instanceof Number number) {
            text.append(number.text());
        } else {
            text.append(value); // true, false, null
        }
    }

    private static void quote(StringBuilder text, String string) {
        text.append('"');
        for (int i = 0; i < string.length(); i++) {
            var c = string.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                case '\b' -> text.append("\\b");
                case '\f' -> text.append("\\f");
                default -> {
                    if (c < 0x20) {
                        text.append(String.format("\\u%04x", (int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        text.append('"');
    }

    /** The same tree with numbers as Long or Double, the types Cypher knows. */
    public static Object plain(Object tree) {
        if (tree instanceof Map<?, ?> map) {
            var copy = new LinkedHashMap<String, Object>();
            map.forEach((key, value) -> copy.put((String) key, plain(value)));
            return java.util.Collections.unmodifiableMap(copy);
        }
        if (tree instanceof List<?> list) {
            var copy = new ArrayList<Object>(list.size());
            list.forEach(value -> copy.add(plain(value)));
            return java.util.Collections.unmodifiableList(copy);
        }
        if (tree instanceof Number number) {
            if (number.isInteger()) {
                try {
                    return Long.valueOf(number.text());
                } catch (NumberFormatException tooLarge) {
                    return Double.valueOf(number.text());
                }
            }
            return Double.valueOf(number.text());
        }
        return tree;
    }
}
