// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

/** Milliseconds of one step after another. */
public final class LapClock {
    private long last = System.nanoTime();

    /** Since the clock was made, or since the last call. */
    public long lap() {
        var now = System.nanoTime();
        var millis = (now - last) / 1_000_000;
        last = now;
        return millis;
    }
}
