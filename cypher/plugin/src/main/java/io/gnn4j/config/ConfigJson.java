// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.config;

import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.artefact.ModelRefused;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** A configuration as text on a node, and back: what Cypher calls maps, lists, strings, booleans, numbers and null. */
public final class ConfigJson {
    /** Deeper than any configuration, and below what the reader takes. */
    private static final int MAX_DEPTH = 32;

    private ConfigJson() {}

    /**
     * Equal values have equal text: keys are sorted.
     *
     * @param what how a message calls the value, e.g. {@code configuration}
     * @throws InvalidConfiguration when it holds something that has no text of its own (a node, a date, NaN)
     */
    public static String write(String what, Object value) {
        check(what, value, 0);
        return new String(CanonicalJson.write(value), StandardCharsets.UTF_8);
    }

    private static void check(String path, Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw refused("`" + path + "` is nested deeper than " + MAX_DEPTH + " levels.");
        }
        switch (value) {
            case null -> { }
            case String ignored -> { }
            case Boolean ignored -> { }
            case Long ignored -> { }
            case Integer ignored -> { }
            case Double real when Double.isFinite(real) -> { }
            case Float real when Float.isFinite(real) -> { }
            case Number other -> throw refused("`" + path + "` must be a finite number, but is " + other + ".");
            case Map<?, ?> map -> map.forEach((key, inner) -> check(path + "." + key, inner, depth + 1));
            case List<?> list -> {
                for (int i = 0; i < list.size(); i++) {
                    check(path + "[" + i + "]", list.get(i), depth + 1);
                }
            }
            default -> throw refused("`" + path + "` is kept as text, so it may hold maps, lists, strings, booleans and numbers, but is "
                + ConfigMap.describe(value) + ".");
        }
    }

    private static InvalidConfiguration refused(String sentence) {
        return new InvalidConfiguration(List.of(sentence));
    }

    /**
     * @param text null reads as null
     * @throws InvalidConfiguration when it is not what {@link #write} makes: somebody edited the node
     */
    public static Object read(String what, String text) {
        if (text == null) {
            return null;
        }
        try {
            return CanonicalJson.plain(CanonicalJson.parse(what, text.getBytes(StandardCharsets.UTF_8)));
        } catch (ModelRefused broken) {
            throw refused("`" + what + "` of the stored node was changed by hand and is no JSON any more.");
        }
    }

    /** {@link #read} of a map; empty where there is no text. */
    @SuppressWarnings("unchecked")
    public static Map<String, Object> readMap(String what, String text) {
        return switch (read(what, text)) {
            case null -> Map.of();
            case Map<?, ?> map -> (Map<String, Object>) map;
            default -> throw refused("`" + what + "` of the stored node was changed by hand and is no map any more.");
        };
    }

    /** {@link #read} of a list of maps; empty where there is no text. */
    @SuppressWarnings("unchecked")
    public static List<Map<String, Object>> readMaps(String what, String text) {
        return switch (read(what, text)) {
            case null -> List.of();
            case List<?> list when list.stream().allMatch(Map.class::isInstance) -> (List<Map<String, Object>>) list;
            default -> throw refused("`" + what + "` of the stored node was changed by hand and is no list of maps any more.");
        };
    }
}
