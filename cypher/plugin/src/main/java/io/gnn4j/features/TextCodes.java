// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Map;

/**
 * The number of a text, the same in client and plugin: 0 where it is missing, 1 where it is unknown, then the entries of the
 * vocabulary in its order. Texts are compared in Unicode form NFC. A property with too many different texts has buckets
 * instead of entries: 2 + XXH64 of the UTF-8 bytes, unsigned, modulo their number. Safe for several threads.
 */
final class TextCodes {
    static final int MISSING = 0;
    private static final int UNKNOWN = 1;
    private static final int FIRST = 2;

    private final Map<String, Integer> entries;
    private final long buckets;

    private TextCodes(Map<String, Integer> entries, long buckets) {
        this.entries = entries;
        this.buckets = buckets;
    }

    /** @param vocabulary texts in NFC and their codes */
    static TextCodes of(Map<String, Integer> vocabulary) {
        return new TextCodes(vocabulary, 0);
    }

    /** @param buckets at least 1 */
    static TextCodes hashed(long buckets) {
        return new TextCodes(null, buckets);
    }

    /** @param text null where it is missing */
    int code(String text) {
        if (text == null) {
            return MISSING;
        }
        var normal = nfc(text);
        return entries == null ? FIRST + (int) Long.remainderUnsigned(XxHash64.hash(normal.getBytes(StandardCharsets.UTF_8)), buckets)
            : entries.getOrDefault(normal, UNKNOWN);
    }

    private static String nfc(String text) {
        return Normalizer.isNormalized(text, Normalizer.Form.NFC) ? text : Normalizer.normalize(text, Normalizer.Form.NFC);
    }
}
