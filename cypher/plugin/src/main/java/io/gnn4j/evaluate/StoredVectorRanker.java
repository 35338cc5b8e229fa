// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.ExactScan;
import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.Recommender;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.recommend.VectorTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** By vectors as a deployment wrote them, which do not change with what is held out; the user's side by what is known. */
public final class StoredVectorRanker implements Ranker {
    private final HeldOut data;
    private final EvaluatedNodes nodes;
    private final SourceEncoder encoder;
    private final VectorTable.Snapshot table;
    private final boolean cosine;
    private final ExactScan scan;
    private final LongHashSet strangers = new LongHashSet();

    /** @param table of item vectors, by node id */
    public StoredVectorRanker(
            HeldOut data, EvaluatedNodes nodes, SourceEncoder encoder, VectorTable table, boolean cosine, ExactScan scan) {
        this.data = data;
        this.nodes = nodes;
        this.encoder = encoder;
        this.table = table.snapshot();
        this.cosine = cosine;
        this.scan = scan;
        for (var id : this.table.ids()) {
            if (nodes.item(id) < 0) {
                strangers.add(id); // has a vector, but is not in the projection
            }
        }
    }

    @Override
    public List<int[]> rank(int[] users, int k) {
        var sources = Arrays.stream(users).mapToObj(user -> nodes.source(user, data.known()[user])).toList();
        var vectors = encoder.encodeSources(sources);
        var asked = IntStream.range(0, users.length).filter(i -> !Recommender.isZero(vectors[i])).toArray();
        var queries = new ArrayList<Query>();
        for (var i : asked) {
            var excluded = LongHashSet.newSetWith(sources.get(i).history().ids());
            excluded.addAll(strangers);
            queries.add(new Query(vectors[i], k, excluded));
        }
        var lists = new int[users.length][0];
        var found = queries.isEmpty() || table.size() == 0 ? null : scan.best(table, queries, cosine);
        for (int i = 0; found != null && i < asked.length; i++) {
            lists[asked[i]] = Arrays.stream(found.get(i).ids()).mapToInt(nodes::item).toArray();
        }
        return List.of(lists);
    }
}
