// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

/** Bytes that are not the Arrow IPC stream that was asked for. */
public final class InvalidArrow extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public InvalidArrow(String sentence) {
        super(sentence);
    }
}
