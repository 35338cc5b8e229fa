// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.stream.IntStream;

/** Ranks all items for users with something to find, and measures; every item is a candidate, known ones are left out. */
public final class Evaluation {
    public static final String ALL = "all";
    private static final int BATCH = 128;

    private final HeldOut data;
    private final EvaluateConfig config;
    private final Runnable guard;
    private final int[] users;
    private final int[] byPopularity;

    /** One figure. @param users whose mean it is */
    public record Figure(String method, String slice, String metric, int k, double value, int users) {}

    /** @param users of {@code data}, by index, ascending, each with something to find */
    public Evaluation(HeldOut data, EvaluateConfig config, int[] users, Runnable guard) {
        this.data = data;
        this.config = config;
        this.users = users;
        this.guard = guard;
        byPopularity = IntStream.range(0, data.degrees().length).boxed()
            .sorted((one, other) -> data.degrees()[one] != data.degrees()[other]
                ? Integer.compare(data.degrees()[other], data.degrees()[one]) : Integer.compare(one, other))
            .mapToInt(Integer::intValue).toArray();
    }

    /**
     * @param ranker null: by popularity alone
     * @param property of a user, by index and name; null where it has none
     */
    public List<Figure> measure(String method, Ranker ranker, BiFunction<Integer, String, Object> property) {
        var most = config.k().get(config.k().size() - 1);
        var lists = new int[users.length][];
        for (int start = 0; start < users.length; start += BATCH) {
            guard.run();
            var batch = Arrays.copyOfRange(users, start, Math.min(users.length, start + BATCH));
            var ranked = ranker == null ? null : ranker.rank(batch, most);
            for (int i = 0; i < batch.length; i++) {
                lists[start + i] = filled(batch[i], ranked == null ? new int[0] : ranked.get(i), most);
            }
        }
        var hits = new BitSet[users.length];
        for (int i = 0; i < hits.length; i++) {
            hits[i] = new BitSet();
            for (int rank = 0; rank < lists[i].length; rank++) {
                hits[i].set(rank, Arrays.binarySearch(data.truth()[users[i]], lists[i][rank]) >= 0);
            }
        }
        var figures = new ArrayList<Figure>();
        for (var slice : slices(property).entrySet()) {
            for (var metric : config.metrics()) {
                for (var k : config.k()) {
                    if (Figures.OF_LISTS.contains(metric)) {
                        figures.add(new Figure(method, slice.getKey(), metric, k, mean(metric, slice.getValue(), hits, k),
                            slice.getValue().length));
                    } else if (slice.getKey().equals(ALL)) {
                        figures.add(new Figure(method, ALL, metric, k, metric.equals("coverage")
                            ? Figures.coverage(lists, k, data.degrees().length)
                            : Figures.novelty(lists, k, data.degrees(), data.known().length), users.length));
                    }
                }
            }
        }
        return figures;
    }

    /** Popular items behind those that were ranked. */
    private int[] filled(int user, int[] ranked, int k) {
        if (ranked.length == k) {
            return ranked;
        }
        var taken = new BitSet();
        Arrays.stream(data.known()[user].ids()).forEach(item -> taken.set((int) item));
        Arrays.stream(ranked).forEach(taken::set);
        var list = Arrays.copyOf(ranked, k);
        var length = ranked.length;
        for (int i = 0; length < k && i < byPopularity.length; i++) {
            if (!taken.get(byPopularity[i])) {
                list[length++] = byPopularity[i];
            }
        }
        return length == k ? list : Arrays.copyOf(list, length);
    }

    private double mean(String metric, int[] rows, BitSet[] hits, int k) {
        var sum = 0.0;
        for (var row : rows) {
            sum += Figures.of(metric, hits[row], data.truth()[users[row]].length, k);
        }
        return sum / rows.length;
    }

    /** Rows of {@link #users} by the name of their slice, all of them first; none is empty. */
    private Map<String, int[]> slices(BiFunction<Integer, String, Object> property) {
        var slices = new LinkedHashMap<String, int[]>();
        slices.put(ALL, IntStream.range(0, users.length).toArray());
        for (var name : config.slices()) {
            if (name.equals(EvaluateConfig.ACTIVITY)) {
                slices.putAll(activity());
                continue;
            }
            var values = new java.util.TreeMap<String, List<Integer>>();
            for (int row = 0; row < users.length; row++) {
                var value = property.apply(users[row], name);
                if (value != null) {
                    values.computeIfAbsent(name + "=" + value, missing -> new ArrayList<>()).add(row);
                }
            }
            if (values.isEmpty()) {
                throw new IllegalArgumentException("`slices` names '" + name + "', a property that none of the " + users.length
                    + " users has. Use 'activity', or a property of theirs.");
            }
            values.forEach((slice, rows) -> slices.put(slice, rows.stream().mapToInt(Integer::intValue).toArray()));
        }
        return slices;
    }

    /**
     * Users of whom nothing is known, the quarter of the others with the fewest known items, that with the most. There are no
     * quarters where half of the users or more have equally many: nobody belongs to one rather than to the other.
     */
    private Map<String, int[]> activity() {
        var degrees = Arrays.stream(users).map(user -> data.known()[user].degree()).toArray();
        var warm = Arrays.stream(degrees).filter(degree -> degree > 0).sorted().toArray();
        var slices = new LinkedHashMap<String, int[]>();
        var low = warm.length == 0 ? 0 : percentile(warm, 0.25);
        var high = warm.length == 0 ? 0 : percentile(warm, 0.75);
        put(slices, "cold", IntStream.range(0, users.length).filter(row -> degrees[row] == 0).toArray());
        if (low < high) {
            put(slices, "fewest", IntStream.range(0, users.length).filter(row -> degrees[row] > 0 && degrees[row] <= low).toArray());
            put(slices, "most", IntStream.range(0, users.length).filter(row -> degrees[row] >= high).toArray());
        }
        return slices;
    }

    private static void put(Map<String, int[]> slices, String name, int[] rows) {
        if (rows.length > 0) {
            slices.put(EvaluateConfig.ACTIVITY + "=" + name, rows);
        }
    }

    /** Linear between two ranks, as numpy does it. */
    private static double percentile(int[] ascending, double share) {
        var at = share * (ascending.length - 1);
        var below = (int) Math.floor(at);
        var above = Math.min(below + 1, ascending.length - 1);
        return ascending[below] + (at - below) * (ascending[above] - ascending[below]);
    }
}
