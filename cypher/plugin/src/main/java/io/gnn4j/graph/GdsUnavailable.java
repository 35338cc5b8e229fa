// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** A graph procedure was called where no supported GDS is linked. */
public final class GdsUnavailable extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public GdsUnavailable(GraphCatalog.GdsStatus status) {
        super("This procedure reads a GDS projection. " + status.detail());
    }
}
