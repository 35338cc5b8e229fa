// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.List;

/**
 * A relation in compressed rows: the neighbours of source i are {@code targets[offsets[i] .. offsets[i + 1])},
 * ascending; parallel relationships are kept.
 *
 * @param offsets one more than there are sources
 * @param properties one array as long as {@code targets} for each property
 */
public record Csr(long[] offsets, int[] targets, double[][] properties) {
    private static final int LONGEST_ARRAY = Integer.MAX_VALUE - 8;
    private static final int GUARD_EVERY = 1 << 12;

    public int sourceCount() {
        return offsets.length - 1;
    }

    public int degree(int source) {
        return (int) (offsets[source + 1] - offsets[source]);
    }

    static Csr read(TypedGraph graph, Relation relation, List<String> propertyNames, Runnable guard) {
        var degrees = graph.degrees(relation, guard);
        var offsets = new long[degrees.length + 1];
        for (int source = 0; source < degrees.length; source++) {
            offsets[source + 1] = offsets[source] + degrees[source];
        }
        var total = offsets[degrees.length];
        if (total > LONGEST_ARRAY) {
            throw new IllegalStateException("Relation " + relation + " has " + total + " relationships; at most "
                + LONGEST_ARRAY + " can be held at once. Project fewer types or a subset.");
        }
        var targets = new int[(int) total];
        var properties = new double[propertyNames.size()][(int) total];
        var reader = graph.neighbours(relation, propertyNames);
        for (int source = 0; source < degrees.length; source++) {
            if (source % GUARD_EVERY == 0) {
                guard.run();
            }
            if (degrees[source] == 0) {
                continue;
            }
            int count = reader.read(source);
            int start = (int) offsets[source];
            System.arraycopy(reader.targets(), 0, targets, start, count);
            for (int p = 0; p < properties.length; p++) {
                System.arraycopy(reader.property(p), 0, properties[p], start, count);
            }
        }
        return new Csr(offsets, targets, properties);
    }

    /**
     * The same relationships seen from their targets; parallel ones keep their order.
     *
     * @param targetCount nodes of the target type, so that those without relationships have a row too
     */
    public Csr reversed(int targetCount, Runnable guard) {
        var reversedOffsets = new long[targetCount + 1];
        for (int target : targets) {
            reversedOffsets[target + 1]++;
        }
        for (int target = 0; target < targetCount; target++) {
            reversedOffsets[target + 1] += reversedOffsets[target];
        }
        var cursor = reversedOffsets.clone();
        var sources = new int[targets.length];
        var values = new double[properties.length][targets.length];
        for (int source = 0; source < sourceCount(); source++) {
            if (source % GUARD_EVERY == 0) {
                guard.run();
            }
            for (int position = (int) offsets[source]; position < offsets[source + 1]; position++) {
                int place = (int) cursor[targets[position]]++;
                sources[place] = source;
                for (int p = 0; p < values.length; p++) {
                    values[p][place] = properties[p][position];
                }
            }
        }
        return new Csr(reversedOffsets, sources, values);
    }
}
