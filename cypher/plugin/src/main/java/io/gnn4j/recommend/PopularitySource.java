// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.function.LongFunction;
import java.util.function.Supplier;

/** How many users touched an item, as a source among others. */
final class PopularitySource implements RankedSource {
    private final Popularity table;
    private final LongFunction<Integer> added;
    private final Supplier<Candidates> lister;
    private final double best;
    private Candidates list;

    /**
     * @param added the count of an item that the table does not have, null where it is none
     * @param lister makes the list when it is needed
     * @param best the largest count of the table
     */
    PopularitySource(Popularity table, LongFunction<Integer> added, Supplier<Candidates> lister, double best) {
        this.table = table;
        this.added = added;
        this.lister = lister;
        this.best = best;
    }

    @Override
    public Candidates list() {
        if (list == null) {
            list = lister.get();
        }
        return list;
    }

    @Override
    public double score(long id) {
        var count = table.counts(new long[] {id})[0];
        if (count >= 0) {
            return count;
        }
        var here = added.apply(id);
        return here == null ? Double.NaN : here;
    }

    @Override
    public double best() {
        return best;
    }
}
