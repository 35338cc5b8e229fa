// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.Element;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.PropertyDraft;
import io.gnn4j.graph.PropertyType;
import java.util.ArrayList;
import java.util.List;

/** Puts Arrow columns into a projection; a property appears when all its values are there. */
public final class ProjectionMutation {
    private static final int GUARD_EVERY = 1 << 12;

    /** What became of one column. */
    public record Done(String property, long written, long skippedMissing) {}

    private final ProjectedGraph graph;
    private final Runnable guard;

    /** @param guard throws when the caller's transaction was terminated */
    public ProjectionMutation(ProjectedGraph graph, Runnable guard) {
        this.graph = graph;
        this.guard = guard;
    }

    /** @throws io.gnn4j.config.InvalidConfiguration for unknown labels and for properties that exist */
    public List<Done> apply(NodePropertyMutateConfig config) {
        var rows = config.rows();
        var drafts = new ArrayList<PropertyDraft>();
        for (var column : rows.columns()) {
            drafts.add(graph.draft(config.nodeLabels(), column.property(), type(column.field()), config.ifExists()));
        }
        var done = new ArrayList<Done>();
        for (int c = 0; c < drafts.size(); c++) {
            var column = rows.columns().get(c);
            long written = 0;
            long missing = 0;
            for (var batch : rows.batches()) {
                for (int row = 0; row < batch.rows(); row++) {
                    if (row % GUARD_EVERY == 0) {
                        guard.run();
                    }
                    if (drafts.get(c).set(rows.id(0, batch, row), column.value(batch, row))) {
                        written++;
                    } else {
                        missing++;
                    }
                }
            }
            done.add(new Done(column.property(), written, missing));
        }
        graph.requireCurrent();
        drafts.forEach(PropertyDraft::publish);
        return done;
    }

    /** Null for what GDS has no type for. */
    static PropertyType type(ArrowField field) {
        if (field.element() == Element.UTF8) {
            return null;
        }
        boolean whole = field.element() == Element.INT32 || field.element() == Element.INT64;
        if (!field.isList()) {
            return whole ? PropertyType.LONG : PropertyType.DOUBLE;
        }
        return whole ? PropertyType.LONG_ARRAY
            : field.element() == Element.FLOAT32 ? PropertyType.FLOAT_ARRAY : PropertyType.DOUBLE_ARRAY;
    }
}
