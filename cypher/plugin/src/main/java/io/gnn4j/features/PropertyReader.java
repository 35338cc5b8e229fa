// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

/** Properties as they stand on stored nodes. */
public interface PropertyReader {
    /** Null where the node is gone, may not be read or lacks the property. */
    Object property(long nodeId, String name);
}
