// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.task.Durations;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * Which sources are added up to one score, and how each is brought to a common scale.
 *
 * <pre>score(item) = sum over sources of weight * scaled(source, item) + recency + boosts</pre>
 *
 * <p>With best = the largest score a source has for any item, seen and filtered ones included, so that an item's score does
 * not depend on what else may come back: {@link Scale#MAX} divides by |best|, {@link Scale#LOG} takes
 * log(score / best + floor), {@link Scale#UNIT} divides by the length of the source's vector, {@link Scale#NONE} leaves a score
 * as it is. A walk that does not reach an item, and an item nobody touched, score 0 there; an item without a vector gets
 * nothing from vectors, and a source that says nothing of any item (best = 0) gives 0 to all.
 *
 * @param sources in the order in which they are summed: vector, walk, popularity; weights other than 0
 * @param recency null: none
 */
public record Blend(List<Source> sources, Recency recency, List<Boost> boosts) {
    public static final String RECENCY = "recency";
    private static final double MOST = 1e6;

    /** How scores of a source become comparable. */
    public enum Scale {
        MAX, UNIT, LOG, NONE;

        String text() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /**
     * @param weight not 0; below 0 only for walk and popularity, which are then held against an item
     * @param floor what {@link Scale#LOG} adds to the share of the best, above 0
     */
    public record Source(String name, double weight, Scale scale, double floor) {}

    /** {@code weight * 0.5^(age / halfLife)} by a time on the item; nothing where it has none. @param halfLife milliseconds */
    public record Recency(double weight, String property, double halfLife) {}

    /** @param weight added where the filter holds; may be below 0 */
    public record Boost(String name, double weight, ItemFilter filter) {}

    public Blend {
        sources = List.copyOf(sources);
        boosts = List.copyOf(boosts);
    }

    public boolean uses(String source) {
        return sources.stream().anyMatch(one -> one.name().equals(source));
    }

    static Blend read(ConfigMap map, ToLongFunction<Object> nodeId) {
        var sources = new ArrayList<Source>();
        source(map, RecommendConfig.VECTOR, 0, List.of(Scale.MAX, Scale.UNIT, Scale.NONE), sources);
        source(map, RecommendConfig.WALK, -MOST, List.of(Scale.MAX, Scale.LOG, Scale.NONE), sources);
        source(map, RecommendConfig.POPULARITY, -MOST, List.of(Scale.MAX, Scale.LOG, Scale.NONE), sources);
        if (sources.stream().noneMatch(source -> source.weight() > 0)) {
            map.fault("`" + map.name() + "` needs a source with a weight above 0: one of " + RecommendConfig.VECTOR + ", "
                + RecommendConfig.WALK + ", " + RecommendConfig.POPULARITY + ", as {vector: 1.0, walk: 0.3}.");
        }
        return new Blend(sources, recency(map), boosts(map, nodeId));
    }

    private static void source(ConfigMap map, String name, double least, List<Scale> scales, List<Source> sources) {
        if (!map.has(name)) {
            return;
        }
        var weight = 0.0;
        var scale = Scale.MAX.text();
        var floor = 0.001;
        if (map.getAny(name).orElse(null) instanceof java.util.Map) {
            var entry = map.getMap(name);
            weight = entry.getDouble("weight", 1.0, least, MOST);
            scale = entry.getChoice("scale", scale, scales.stream().map(Scale::text).toList());
            floor = scales.contains(Scale.LOG) ? entry.getDouble("floor", floor, 1e-12, 1) : floor;
        } else {
            weight = map.getDouble(name, 0, least, MOST);
        }
        if (weight != 0) {
            sources.add(new Source(name, weight, Scale.valueOf(scale.toUpperCase(java.util.Locale.ROOT)), floor));
        }
    }

    private static Recency recency(ConfigMap map) {
        if (!map.has(RECENCY)) {
            return null;
        }
        var entry = map.getMap(RECENCY);
        var property = entry.getString("property", null);
        if (property == null) {
            entry.fault("`" + entry.path("property") + "` is missing: name the property of items that holds INTEGER epoch milliseconds.");
        }
        var halfLife = entry.parse("halfLife", Durations::of);
        return new Recency(entry.getDouble("weight", 1.0, -MOST, MOST), property, halfLife.orElse(30L * 86_400_000));
    }

    private static List<Boost> boosts(ConfigMap map, ToLongFunction<Object> nodeId) {
        var boosts = new ArrayList<Boost>();
        var given = map.getMap("boosts");
        for (var name : given.keys()) {
            var entry = given.getMap(name);
            given.has(name);
            if (RESERVED.contains(name)) {
                given.fault("`" + given.path(name) + "` cannot have the name of another score. Taken: " + String.join(", ", RESERVED)
                    + ".");
            }
            var filter = ItemFilter.read(entry.getMap("filter"), nodeId);
            entry.has("filter");
            if (filter.isEmpty()) {
                entry.fault("`" + entry.path("filter") + "` is empty: say which items get the boost, as {onSale: true}.");
            }
            boosts.add(new Boost(name, entry.getDouble("weight", 1.0, -MOST, MOST), filter));
        }
        return boosts;
    }

    private static final List<String> RESERVED = List.of(
        RecommendConfig.VECTOR, RecommendConfig.WALK, RecommendConfig.POPULARITY, RECENCY, "count", "lift", "supporters",
        "relevance", "diversity", "exploration", "rerank");
}
