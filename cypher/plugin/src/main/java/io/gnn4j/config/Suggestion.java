// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.config;

import java.util.Collection;
import java.util.Locale;

/** "Did you mean …?" by Damerau-Levenshtein distance (optimal string alignment), case ignored. */
public final class Suggestion {
    private Suggestion() {}

    /** A sentence with a leading blank, or an empty string when no known name is close to {@code name}. */
    public static String sentence(String name, Collection<String> known) {
        var wanted = name.toLowerCase(Locale.ROOT);
        String best = null;
        var bestDistance = Math.max(1, name.length() / 3) + 1;
        for (var candidate : known) {
            var distance = distance(wanted, candidate.toLowerCase(Locale.ROOT));
            if (distance < bestDistance) {
                bestDistance = distance;
                best = candidate;
            }
        }
        return best == null ? "" : " Did you mean `" + best + "`?";
    }

    static int distance(String left, String right) {
        var table = new int[left.length() + 1][right.length() + 1];
        for (int i = 0; i <= left.length(); i++) {
            for (int j = 0; j <= right.length(); j++) {
                if (i == 0 || j == 0) {
                    table[i][j] = i + j;
                    continue;
                }
                var same = left.charAt(i - 1) == right.charAt(j - 1) ? 0 : 1;
                var value = Math.min(Math.min(table[i - 1][j], table[i][j - 1]) + 1, table[i - 1][j - 1] + same);
                if (i > 1 && j > 1 && left.charAt(i - 1) == right.charAt(j - 2) && left.charAt(i - 2) == right.charAt(j - 1)) {
                    value = Math.min(value, table[i - 2][j - 2] + 1);
                }
                table[i][j] = value;
            }
        }
        return table[left.length()][right.length()];
    }
}
