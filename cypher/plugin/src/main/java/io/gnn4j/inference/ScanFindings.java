// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What a scan has against a file, in the order met; the same sentence only once. */
final class ScanFindings {
    /**
     * One reason to refuse a file.
     *
     * @param code as docs/formats.md section 5 names it
     */
    record Finding(String code, String sentence) {}

    private final Set<Finding> all = new LinkedHashSet<>();

    void add(String code, String sentence) {
        add(new Finding(code, sentence));
    }

    void add(Finding finding) {
        all.add(finding);
    }

    List<Finding> list() {
        return List.copyOf(all);
    }

    /** A name from the file as it may appear in a sentence: short and printable. */
    static String shown(String name) {
        var text = new StringBuilder();
        name.codePoints().limit(60)
            .forEach(c -> text.appendCodePoint(Character.isISOControl(c) || !Character.isDefined(c) ? '?' : c));
        return text.toString();
    }
}
