// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** Relationships of one type from nodes of one type to nodes of one type, as they point in the projection. */
public record Relation(String source, String type, String target) {
    @Override
    public String toString() {
        return "(" + source + ")-[" + type + "]->(" + target + ")";
    }
}
