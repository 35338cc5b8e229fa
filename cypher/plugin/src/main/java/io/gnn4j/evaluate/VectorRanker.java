// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.ExactScan;
import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.QueryEncoder;
import io.gnn4j.recommend.Recommender;
import io.gnn4j.recommend.VectorTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** By the vectors of a model, with the engine that answers {@code gnn.recommend.stream}; ids are item indices. */
public final class VectorRanker implements Ranker {
    private final HeldOut data;
    private final QueryEncoder encoder;
    private final VectorTable.Snapshot table;
    private final boolean cosine;
    private final ExactScan scan;

    /** @param table of item vectors, each under the index of its item */
    public VectorRanker(HeldOut data, QueryEncoder encoder, VectorTable table, boolean cosine, ExactScan scan) {
        this.data = data;
        this.encoder = encoder;
        this.table = table.snapshot();
        this.cosine = cosine;
        this.scan = scan;
    }

    @Override
    public List<int[]> rank(int[] users, int k) {
        var histories = new ArrayList<Interactions>(users.length);
        for (var user : users) {
            histories.add(data.known()[user]);
        }
        var vectors = encoder.encode(histories);
        var queries = new ArrayList<Query>();
        var asked = IntStream.range(0, users.length).filter(i -> !Recommender.isZero(vectors[i])).toArray();
        for (var i : asked) {
            queries.add(new Query(vectors[i], k, LongHashSet.newSetWith(histories.get(i).ids())));
        }
        var lists = new int[users.length][0];
        var found = queries.isEmpty() || table.size() == 0 ? null : scan.best(table, queries, cosine);
        for (int i = 0; found != null && i < asked.length; i++) {
            lists[asked[i]] = Arrays.stream(found.get(i).ids()).mapToInt(Math::toIntExact).toArray();
        }
        return List.of(lists);
    }
}
