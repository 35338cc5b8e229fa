// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.config;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Reads one configuration map and collects every fault before {@link #check()} throws them together.
 *
 * <p>Each getter registers its key as allowed, so the set of allowed keys cannot differ from what is read. A faulty
 * value yields the default; nothing may be done with the values before {@code check()} has returned.
 */
public final class ConfigMap {
    private final Map<String, Object> raw;
    private final String path;
    private final List<String> faults;
    private final Set<String> allowed = new LinkedHashSet<>();
    private final List<ConfigMap> children = new ArrayList<>();

    private ConfigMap(Map<String, Object> raw, String path, List<String> faults) {
        this.raw = raw;
        this.path = path;
        this.faults = faults;
    }

    /** @param raw the map as it came from Cypher; null counts as empty */
    public static ConfigMap of(Map<String, Object> raw) {
        return new ConfigMap(raw == null ? Map.of() : raw, "", new ArrayList<>());
    }

    public boolean has(String key) {
        allowed.add(key);
        return raw.get(key) != null;
    }

    public int getInt(String key, int fallback, int minimum, int maximum) {
        return Math.toIntExact(getLong(key, fallback, minimum, maximum));
    }

    public long getLong(String key, long fallback, long minimum, long maximum) {
        var value = get(key);
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Long || value instanceof Integer)) {
            return wrongType(key, "an INTEGER", value, fallback);
        }
        var number = ((Number) value).longValue();
        if (number < minimum || number > maximum) {
            fault("`" + path + key + "` must lie in [" + minimum + ", " + maximum + "], but is " + number + ".");
            return fallback;
        }
        return number;
    }

    public double getDouble(String key, double fallback, double minimum, double maximum) {
        var value = get(key);
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Number number)) {
            return wrongType(key, "a FLOAT", value, fallback);
        }
        var real = number.doubleValue();
        if (!(real >= minimum && real <= maximum)) {
            fault("`" + path + key + "` must lie in [" + minimum + ", " + maximum + "], but is " + real + ".");
            return fallback;
        }
        return real;
    }

    public boolean getBoolean(String key, boolean fallback) {
        var value = get(key);
        if (value == null) {
            return fallback;
        }
        return value instanceof Boolean flag ? flag : wrongType(key, "a BOOLEAN", value, fallback);
    }

    public String getString(String key, String fallback) {
        var value = get(key);
        if (value == null) {
            return fallback;
        }
        return value instanceof String text ? text : wrongType(key, "a STRING", value, fallback);
    }

    /** A string out of {@code known}; a close miss is suggested. */
    public String getChoice(String key, String fallback, List<String> known) {
        var value = getString(key, fallback);
        if (value != null && !known.contains(value)) {
            fault("Unknown value '" + value + "' for `" + path + key + "`." + Suggestion.sentence(value, known)
                + " Known: " + String.join(", ", known) + ".");
            return fallback;
        }
        return value;
    }

    /** A list of strings; a single string counts as a list of one. */
    public List<String> getStrings(String key, List<String> fallback) {
        var value = get(key);
        if (value == null) {
            return fallback;
        }
        if (value instanceof String text) {
            return List.of(text);
        }
        if (value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)) {
            return list.stream().map(String.class::cast).toList();
        }
        return wrongType(key, "a LIST<STRING>", value, fallback);
    }

    /** The raw value of a key whose type the caller checks itself with {@link #fault}. */
    public Optional<Object> getAny(String key) {
        return Optional.ofNullable(get(key));
    }

    /** A nested map whose faults join this one's; its keys are checked by the same {@link #check()}. */
    @SuppressWarnings("unchecked")
    public ConfigMap getMap(String key) {
        var value = get(key);
        var map = Map.<String, Object>of();
        if (value instanceof Map<?, ?> given) {
            map = (Map<String, Object>) given;
        } else if (value != null) {
            wrongType(key, "a MAP", value, null);
        }
        var child = new ConfigMap(map, path + key + ".", faults);
        children.add(child);
        return child;
    }

    /** The key as a user would write it from the outermost map, for messages. */
    public String path(String key) {
        return path + key;
    }

    /** The key that this map itself stands under; empty for the outermost. */
    public String name() {
        return path.isEmpty() ? "" : path.substring(0, path.length() - 1);
    }

    /** The keys of this map, for maps whose keys are data (labels, types) and not a fixed set. */
    public Set<String> keys() {
        return raw.keySet();
    }

    /** Reads a nested structure with its own parser; a thrown message becomes one of the faults. */
    public <T> Optional<T> parse(String key, Function<Object, T> parser) {
        var value = get(key);
        if (value == null) {
            return Optional.empty();
        }
        try {
            return Optional.of(parser.apply(value));
        } catch (InvalidConfiguration nested) {
            nested.faults().forEach(this::fault);
        } catch (IllegalArgumentException | ArithmeticException wrong) {
            fault("`" + path + key + "`: " + wrong.getMessage());
        }
        return Optional.empty();
    }

    /** Adds a fault found by the caller (a rule between two keys, say). */
    public void fault(String sentence) {
        faults.add(sentence);
    }

    /** @throws InvalidConfiguration with all faults found so far, unknown keys included */
    public void check() {
        collectUnknown();
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
    }

    private void collectUnknown() {
        raw.keySet().stream().filter(key -> !allowed.contains(key)).sorted().forEach(key -> fault(
            "Unknown configuration key `" + path + key + "`." + Suggestion.sentence(key, allowed)
                + " Allowed keys: " + (allowed.isEmpty() ? "none" : String.join(", ", allowed)) + "."));
        children.forEach(ConfigMap::collectUnknown);
    }

    private Object get(String key) {
        allowed.add(key);
        return raw.get(key);
    }

    private <T> T wrongType(String key, String wanted, Object found, T fallback) {
        fault("`" + path + key + "` must be " + wanted + ", but is " + describe(found) + ".");
        return fallback;
    }

    /**
     * Little-endian int64 bytes or a list of INTEGER, for {@link #parse}.
     *
     * @throws IllegalArgumentException for anything else
     */
    public static long[] numbers(Object value) {
        if (value instanceof byte[] bytes && bytes.length % Long.BYTES == 0) {
            var numbers = new long[bytes.length / Long.BYTES];
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(numbers);
            return numbers;
        }
        if (value instanceof List<?> list && list.stream().allMatch(Long.class::isInstance)) {
            return list.stream().mapToLong(number -> (Long) number).toArray();
        }
        throw new IllegalArgumentException("must be BYTES (little-endian int64) or a LIST<INTEGER>, but is "
            + (value instanceof byte[] bytes ? bytes.length + " bytes, no multiple of 8" : describe(value)) + ".");
    }

    /** The Cypher name of a value's type with the value, shortened. */
    public static String describe(Object value) {
        var type = switch (value) {
            case null -> "NULL";
            case String ignored -> "STRING";
            case Boolean ignored -> "BOOLEAN";
            case Long ignored -> "INTEGER";
            case Integer ignored -> "INTEGER";
            case Number ignored -> "FLOAT";
            case List<?> ignored -> "LIST";
            case Map<?, ?> ignored -> "MAP";
            case byte[] ignored -> "BYTES";
            default -> value.getClass().getSimpleName();
        };
        if (value == null || value instanceof byte[]) {
            return "a " + type;
        }
        var text = String.valueOf(value);
        return type + " " + (text.length() > 40 ? text.substring(0, 40) + "…" : text);
    }
}
