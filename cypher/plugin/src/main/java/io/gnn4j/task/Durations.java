// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.task;

import io.gnn4j.config.ConfigMap;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.temporal.TemporalAmount;
import java.util.regex.Pattern;

/** ISO-8601 durations of fixed length: weeks, days, hours, minutes, seconds. */
public final class Durations {
    private static final String NUMBER = "(\\d{1,9}(?:\\.\\d{1,9})?)";
    private static final Pattern FORM = Pattern.compile("P(?=[\\dT])(?:" + NUMBER + "W)?(?:" + NUMBER + "D)?"
        + "(?:T(?=\\d)(?:" + NUMBER + "H)?(?:" + NUMBER + "M)?(?:" + NUMBER + "S)?)?");
    private static final long[] MILLIS = {604_800_000, 86_400_000, 3_600_000, 60_000, 1_000};

    private Durations() {}

    /** @param value text, or a DURATION of Cypher */
    public static long of(Object value) {
        if (value instanceof String || value instanceof TemporalAmount) {
            return millis(value.toString());
        }
        throw new IllegalArgumentException("must be a duration such as 'P30D', but is " + ConfigMap.describe(value) + ".");
    }

    /** @throws IllegalArgumentException for anything else; years and months too, since their length is not fixed */
    public static long millis(String text) {
        var found = FORM.matcher(text);
        if (!found.matches()) {
            throw new IllegalArgumentException("'" + text + "' is not a duration of weeks, days, hours, minutes or seconds; "
                + "write for example 'P30D' or 'PT12H'.");
        }
        var sum = BigDecimal.ZERO;
        for (int unit = 0; unit < MILLIS.length; unit++) {
            if (found.group(unit + 1) != null) {
                sum = sum.add(new BigDecimal(found.group(unit + 1)).multiply(BigDecimal.valueOf(MILLIS[unit])));
            }
        }
        if (sum.compareTo(BigDecimal.ONE) < 0) {
            throw new IllegalArgumentException("'" + text + "' is no time at all; write for example 'P30D' or 'PT12H'.");
        }
        return sum.setScale(0, RoundingMode.HALF_EVEN).longValueExact();
    }
}
