// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.memory;

import java.util.Locale;

/** A number of bytes as estimates show it. */
public final class MemorySize {
    private MemorySize() {}

    /** In MiB with one decimal. */
    public static String words(long bytes) {
        return String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }

    /** As a part of the heap, in [0, 1] where it fits. */
    public static double ofHeap(long bytes) {
        return (double) bytes / Runtime.getRuntime().maxMemory();
    }
}
