// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Rows by key; keys are whole numbers or texts. */
public final class KeyIndex {
    private long[] numbers = new long[0];
    private int[] rows = new int[0];
    private final Map<String, Integer> texts = new HashMap<>();
    private Object example;

    private KeyIndex() {}

    /**
     * @param keys one for each row; anything but whole numbers and texts, null included, has no key
     * @throws IllegalStateException when two rows have the same key
     */
    public static KeyIndex of(Object[] keys) {
        var index = new KeyIndex();
        var count = (int) Arrays.stream(keys).filter(Long.class::isInstance).count();
        var order = new long[count][];
        var at = 0;
        for (int row = 0; row < keys.length; row++) {
            if (keys[row] instanceof Long number) {
                order[at++] = new long[] {number, row};
            } else if (keys[row] instanceof String text && index.texts.put(text, row) != null) {
                throw twice(text);
            }
            if (index.example == null && (keys[row] instanceof Long || keys[row] instanceof String)) {
                index.example = keys[row];
            }
        }
        Arrays.sort(order, (left, right) -> Long.compare(left[0], right[0]));
        index.numbers = new long[count];
        index.rows = new int[count];
        for (int i = 0; i < count; i++) {
            index.numbers[i] = order[i][0];
            index.rows[i] = (int) order[i][1];
            if (i > 0 && order[i][0] == order[i - 1][0]) {
                throw twice(order[i][0]);
            }
        }
        return index;
    }

    private static IllegalStateException twice(Object key) {
        return new IllegalStateException("Two nodes have the key " + key + ". Restore the uniqueness constraint on the key.");
    }

    /** A property value as a key: whole numbers as Long, texts as they are, anything else null. */
    public static Object normal(Object value) {
        return value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte
            ? (Object) ((Number) value).longValue() : value instanceof String ? value : null;
    }

    /** @return the row, or -1 */
    public int row(long key) {
        var at = Arrays.binarySearch(numbers, key);
        return at < 0 ? -1 : rows[at];
    }

    /** @return the row, or -1 */
    public int row(String key) {
        return texts.getOrDefault(key, -1);
    }

    /** The row of a key as {@link #normal} gives it. @return -1 where it has none */
    public int row(Object key) {
        return key instanceof Long number ? row(number.longValue()) : key instanceof String text ? row(text) : -1;
    }

    /** Any key, for messages; null when there is none. */
    public Object example() {
        return example;
    }

    /** Bytes of an index of so many rows while it is made, the keys themselves included. */
    public static long bytes(long rows) {
        return 72 * rows;
    }
}
