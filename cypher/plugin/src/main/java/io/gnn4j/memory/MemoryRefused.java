// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.memory;

/** Something does not fit into {@code server.gnn.memory.max}; the message names the number to set. */
public final class MemoryRefused extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public MemoryRefused(String message) {
        super(message);
    }
}
