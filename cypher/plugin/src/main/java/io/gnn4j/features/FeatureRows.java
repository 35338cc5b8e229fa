// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import java.nio.FloatBuffer;
import java.nio.LongBuffer;

/** The columns of nodes, by the numbers of their types in the schema of the model. */
public interface FeatureRows {
    /**
     * Puts {@code x} of some nodes into a buffer, row after row.
     *
     * @param nodeIds the nodes
     * @param indices their indices in the projection; null where they come from the live store
     */
    void x(int type, long[] nodeIds, int[] indices, FloatBuffer into);

    /** As {@link #x}, of the codes. */
    void codes(int type, long[] nodeIds, int[] indices, LongBuffer into);
}
