// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.graph.GraphCatalog.GdsStatus;

/** Finds GDS once at start, and never lets its absence or an unknown version stop the plugin. */
public final class GdsProbe {
    /** The versions the adapter was tested with. */
    public static final String SUPPORTED = "2.26";

    private static final String ADAPTER = "io.gnn4j.gds.OpenGdsCatalog";

    private GdsProbe() {}

    public static GraphCatalog find() {
        try {
            return (GraphCatalog) Class.forName(ADAPTER).getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException | LinkageError failure) {
            Throwable root = failure;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            var found = isPresent();
            var detail = found
                ? "A GDS was found that lacks what gnn4j needs (" + root + "). Supported: GDS " + SUPPORTED + "."
                : "No GDS was found. Graph procedures need GDS " + SUPPORTED + " in the plugins directory.";
            return new NoGds(new GdsStatus(found, null, false, detail));
        }
    }

    private static boolean isPresent() {
        try {
            Class.forName("org.neo4j.gds.core.loading.GraphStoreCatalog", false, GdsProbe.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError absent) {
            return false;
        }
    }
}
