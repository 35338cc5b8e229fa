// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import io.gnn4j.config.Suggestion;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads one JSON object whose keys are all required, and collects what is wrong with it. */
final class JsonFields {
    private final String path;
    private final Map<String, Object> raw;
    private final List<String> faults;
    private final Set<String> known = new LinkedHashSet<>();

    @SuppressWarnings("unchecked")
    JsonFields(String path, Object raw, List<String> faults) {
        this.path = path;
        this.faults = faults;
        if (raw instanceof Map<?, ?> map) {
            this.raw = (Map<String, Object>) map;
        } else {
            this.raw = Map.of();
            faults.add((path.isEmpty() ? "The document" : "`" + path.substring(0, path.length() - 1) + "`")
                + " must be an object, but is " + describe(raw) + ".");
        }
    }

    Map<String, Object> raw() {
        return raw;
    }

    String path(String key) {
        return path + key;
    }

    private Object get(String key, String wanted) {
        known.add(key);
        if (!raw.containsKey(key)) {
            faults.add("`" + path + key + "` is missing (" + wanted + ").");
        }
        return raw.get(key);
    }

    private void wrong(String key, String wanted, Object found) {
        if (raw.containsKey(key)) {
            faults.add("`" + path + key + "` must be " + wanted + ", but is " + describe(found) + ".");
        }
    }

    String text(String key) {
        if (get(key, "text") instanceof String text) {
            return text;
        }
        wrong(key, "text", raw.get(key));
        return null;
    }

    String hash(String key) {
        var value = get(key, "SHA-256");
        if (value instanceof String text && text.matches("[0-9a-f]{64}")) {
            return text;
        }
        wrong(key, "64 hexadecimal digits", value);
        return "";
    }

    String choice(String key, List<String> allowed) {
        var value = get(key, String.join(" or ", allowed));
        if (value instanceof String text && allowed.contains(text)) {
            return text;
        }
        if (raw.containsKey(key)) {
            faults.add("`" + path + key + "` is " + describe(value) + "."
                + (value instanceof String text ? Suggestion.sentence(text, allowed) : "")
                + " Supported: " + String.join(", ", allowed) + ".");
        }
        return null;
    }

    long integer(String key, long minimum, long maximum) {
        var wanted = "a whole number in [" + minimum + ", " + maximum + "]";
        if (get(key, wanted) instanceof Long number && number >= minimum && number <= maximum) {
            return number;
        }
        wrong(key, wanted, raw.get(key));
        return minimum;
    }

    double real(String key, double minimum, double maximum) {
        var wanted = "a number in [" + minimum + ", " + maximum + "]";
        if (get(key, wanted) instanceof Number number && number.doubleValue() >= minimum && number.doubleValue() <= maximum) {
            return number.doubleValue();
        }
        wrong(key, wanted, raw.get(key));
        return minimum;
    }

    boolean truth(String key) {
        if (get(key, "true or false") instanceof Boolean truth) {
            return truth;
        }
        wrong(key, "true or false", raw.get(key));
        return false;
    }

    /** For a key that may be null; it must stand there all the same. */
    String textOrNull(String key) {
        var value = get(key, "text or null");
        if (value != null && !(value instanceof String text && !text.isEmpty())) {
            wrong(key, "text or null", value);
            return null;
        }
        return (String) value;
    }

    boolean isNull(String key) {
        return get(key, "a value or null") == null;
    }

    /** For a key that need not stand there. */
    boolean has(String key) {
        known.add(key);
        return raw.containsKey(key);
    }

    /** Empty where it is at fault. */
    List<String> texts(String key) {
        var list = list(key);
        if (list.stream().allMatch(String.class::isInstance)) {
            return list.stream().map(String.class::cast).toList();
        }
        wrong(key, "a list of text", list);
        return List.of();
    }

    JsonFields map(String key) {
        var value = get(key, "an object");
        return new JsonFields(path + key + ".", raw.containsKey(key) ? value : Map.of(), faults);
    }

    List<?> list(String key) {
        if (get(key, "a list") instanceof List<?> list) {
            return list;
        }
        wrong(key, "a list", raw.get(key));
        return List.of();
    }

    List<JsonFields> maps(String key) {
        var list = list(key);
        var maps = new ArrayList<JsonFields>();
        for (int i = 0; i < list.size(); i++) {
            maps.add(new JsonFields(path + key + "[" + i + "].", list.get(i), faults));
        }
        return maps;
    }

    /** Refuses what nobody asked for. */
    void end() {
        for (var key : raw.keySet()) {
            if (!known.contains(key)) {
                faults.add("Unknown key `" + path + key + "`." + Suggestion.sentence(key, known) + " Known: "
                    + String.join(", ", known) + ".");
            }
        }
    }

    private static String describe(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Map) {
            return "an object";
        }
        if (value instanceof List<?> list) {
            return "a list of " + list.size();
        }
        var text = String.valueOf(value);
        return value instanceof String ? "'" + (text.length() > 80 ? text.substring(0, 80) + "…" : text) + "'" : text;
    }
}
