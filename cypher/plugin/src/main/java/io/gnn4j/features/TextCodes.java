// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The number of a text, the same in client and plugin: 0 where it is missing, 1 where it is unknown, then the entries of the
 * vocabulary in its order. Texts are compared in Unicode form NFC. A property with too many different texts has buckets
 * instead of entries: 2 + XXH64 of the UTF-8 bytes, unsigned, modulo their number. Safe for several threads.
 */
public final class TextCodes {
    public static final long MISSING = 0;
    public static final long UNKNOWN = 1;
    public static final long FIRST = 2;

    private final Map<String, Long> entries;
    private final long buckets;

    private TextCodes(Map<String, Long> entries, long buckets) {
        this.entries = entries;
        this.buckets = buckets;
    }

    /** @param vocabulary in NFC, each once */
    public static TextCodes of(List<String> vocabulary) {
        var entries = HashMap.<String, Long>newHashMap(vocabulary.size());
        for (var entry : vocabulary) {
            entries.put(entry, FIRST + entries.size());
        }
        return new TextCodes(entries, 0);
    }

    /** @param buckets at least 1 */
    public static TextCodes hashed(long buckets) {
        return new TextCodes(null, buckets);
    }

    /** @param text null where it is missing */
    public long code(String text) {
        if (text == null) {
            return MISSING;
        }
        var normal = nfc(text);
        return entries == null ? FIRST + Long.remainderUnsigned(XxHash64.hash(normal.getBytes(StandardCharsets.UTF_8)), buckets)
            : entries.getOrDefault(normal, UNKNOWN);
    }

    /** Codes are in [0, size()). */
    public long size() {
        return FIRST + (entries == null ? buckets : entries.size());
    }

    static String nfc(String text) {
        return Normalizer.isNormalized(text, Normalizer.Form.NFC) ? text : Normalizer.normalize(text, Normalizer.Form.NFC);
    }
}
