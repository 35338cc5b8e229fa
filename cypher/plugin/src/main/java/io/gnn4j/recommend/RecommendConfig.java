// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.task.Durations;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What a caller of {@code gnn.recommend.stream} or {@code gnn.similar.stream} asked for.
 *
 * @param model alias or version; null: the only one that fits
 * @param method {@code vector}, {@code walk}, {@code popularity} or {@code blend}
 * @param task given in the call; null: the model's
 * @param topK rows for each source
 * @param concurrency threads of one call
 * @param maxDegree relationships read of one node at most
 * @param candidates ids that may come back; null: all
 * @param exclude ids that never come back
 * @param history what a visitor interacted with, oldest first
 * @param context items looked at now, oldest first
 * @param filter what an item must be like
 * @param maxPer most rows with the same value, by property
 * @param seen behaviours that keep an item away, with the milliseconds they do so ({@link #FOREVER}); null: the task's
 * @param blockedTypes relationship types between source and item that keep an item away
 * @param cosine whether similarity is the cosine (true) or the dot product
 * @param walk exponents and limit of walks
 * @param blend null unless the method is {@code blend}
 * @param arrangement what is done with the best of a list
 * @param rerank the second stage; null: none
 * @param timeBudgetMillis after which optional work is left out; 0: never
 */
public record RecommendConfig(
    String model,
    String method,
    Task task,
    int topK,
    int concurrency,
    int maxDegree,
    long[] candidates,
    long[] exclude,
    long[] history,
    long[] context,
    ItemFilter filter,
    Map<String, Integer> maxPer,
    Map<String, Long> seen,
    List<String> blockedTypes,
    boolean cosine,
    Walk.Settings walk,
    Blend blend,
    Arrangement arrangement,
    Rerank rerank,
    long timeBudgetMillis) {

    /** @param model alias or version; @param topN how many of the best it sees */
    public record Rerank(String model, int topN) {}

    public static final String VECTOR = "vector";
    public static final String WALK = "walk";
    public static final String POPULARITY = "popularity";
    public static final String BLEND = "blend";
    public static final long FOREVER = Long.MAX_VALUE;
    static final int MAX_TOP_K = 100_000;
    static final int MAX_DEGREE = 10_000;
    static final int WALK_LIMIT = 200_000;
    /** Exponents of a walk that nobody tuned: of seven data sets no train part loses more than 29 % of its best recall by them. */
    public static final double ALPHA = 0.7;
    public static final double BETA = 0.3;

    /**
     * @param nodeId the id of a node value; throws IllegalArgumentException for anything else
     * @param hasSource false for a visitor
     * @throws InvalidConfiguration with all faults
     */
    public static RecommendConfig recommend(Map<String, Object> raw, ToLongFunction<Object> nodeId, boolean hasSource) {
        var map = ConfigMap.of(raw);
        var history = ids(map, "history", nodeId);
        if (hasSource && history != null) {
            map.fault("`history` is for visitors: with a node as source its own relationships are the history."
                + " Give null as source, or use `context` for the items looked at now.");
        }
        var context = ids(map, "context", nodeId);
        var config = common(map, nodeId, List.of(VECTOR, WALK, POPULARITY, BLEND), history, context, seen(map),
            map.getStrings("blockedTypes", List.of()), false).with(rerank(map), budget(map));
        map.check();
        return config;
    }

    /** As {@link #lists}, for one model that stands under another key and brings its task. @param model alias or version */
    static RecommendConfig predictions(ConfigMap map, String model, ToLongFunction<Object> nodeId) {
        return common(map, model, null, nodeId, List.of(VECTOR, WALK, POPULARITY, BLEND), null, null, seen(map),
            map.getStrings("blockedTypes", List.of()), false).with(rerank(map), budget(map));
    }

    /** The same with other items that may come back. */
    public RecommendConfig among(long[] ids) {
        return new RecommendConfig(model, method, task, topK, concurrency, maxDegree, ids, exclude, history, context, filter, maxPer,
            seen, blockedTypes, cosine, walk, blend, arrangement, rerank, timeBudgetMillis);
    }

    /** How lists of many users are made: a part of a larger map, which is checked by whoever reads that. */
    static RecommendConfig lists(ConfigMap map, ToLongFunction<Object> nodeId) {
        return common(map, nodeId, List.of(VECTOR, WALK, POPULARITY, BLEND), null, null, seen(map),
            map.getStrings("blockedTypes", List.of()), false).with(rerank(map), budget(map));
    }

    /** @throws InvalidConfiguration with all faults */
    public static RecommendConfig similar(Map<String, Object> raw, ToLongFunction<Object> nodeId) {
        var map = ConfigMap.of(raw);
        var cosine = map.getChoice("similarity", "cosine", List.of("cosine", "dot")).equals("cosine");
        var config = common(map, nodeId, List.of(VECTOR, WALK, BLEND), null, null, null, List.of(), cosine);
        map.check();
        return config;
    }

    private static RecommendConfig common(
            ConfigMap map, ToLongFunction<Object> nodeId, List<String> methods, long[] history, long[] context,
            Map<String, Long> seen, List<String> blockedTypes, boolean cosine) {
        if (map.has("model") && map.has("task")) {
            map.fault(Task.BESIDE_A_MODEL);
        }
        return common(map, map.getString("model", null), map.has("task") ? Task.read(map.getMap("task")) : null, nodeId, methods, history,
            context, seen, blockedTypes, cosine);
    }

    private static RecommendConfig common(
            ConfigMap map, String model, Task task, ToLongFunction<Object> nodeId, List<String> methods, long[] history, long[] context,
            Map<String, Long> seen, List<String> blockedTypes, boolean cosine) {
        var exclude = ids(map, "exclude", nodeId);
        var blend = map.has("blend") ? Blend.read(map.getMap("blend"), nodeId) : null;
        var method = map.getChoice("method", blend == null ? VECTOR : BLEND, methods);
        if (blend == null && method.equals(BLEND)) {
            map.fault("`method` 'blend' needs `blend`: which sources with which weights, as {vector: 1.0, walk: 0.3}.");
        } else if (blend != null && !method.equals(BLEND)) {
            map.fault("`method` is '" + method + "', but `blend` is given. Leave one of them out.");
        }
        var topK = map.getInt("topK", 10, 1, MAX_TOP_K);
        return new RecommendConfig(
            model,
            method,
            task,
            topK,
            map.getInt("concurrency", Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, 4), 1, 4),
            map.getInt("maxDegree", MAX_DEGREE, 1, 1_000_000),
            ids(map, "candidates", nodeId),
            exclude == null ? new long[0] : exclude,
            history == null ? new long[0] : history,
            context == null ? new long[0] : context,
            ItemFilter.read(map.getMap("filter"), nodeId),
            maxPer(map.getMap("maxPer")),
            seen,
            blockedTypes,
            cosine,
            walk(map.getMap("walk")),
            blend,
            arrangement(map, topK),
            null,
            0);
    }

    /** What only lists have that are made for somebody. */
    private RecommendConfig with(Rerank second, long millis) {
        return new RecommendConfig(model, method, task, topK, concurrency, maxDegree, candidates, exclude, history, context, filter, maxPer,
            seen, blockedTypes, cosine, walk, blend, arrangement, second, millis);
    }

    private static long budget(ConfigMap map) {
        return map.getLong("timeBudgetMillis", 0, 0, 3_600_000);
    }

    private static Rerank rerank(ConfigMap map) {
        if (!map.has("rerank")) {
            return null;
        }
        var second = map.getMap("rerank");
        var name = second.getString("model", null);
        if (name == null) {
            second.fault("`" + second.path("model") + "` is missing: name a model of pair/1 or sequence/1.");
        }
        return new Rerank(name, second.getInt("topN", 100, 1, Reranker.MAX_TOP_N));
    }

    /**
     * The same call, answered as a model says that adds up several sources; as it is where the caller chose a method or a blend.
     *
     * @param blend {@code {rule, sources, walk}} of the manifest, null where the model is its vectors alone
     * @throws InvalidConfiguration when the model's own map is at fault
     * @throws IllegalArgumentException when the caller names exponents of a walk beside those of the model
     */
    public RecommendConfig servedBy(Map<?, ?> blend) {
        if (blend == null || !method.equals(VECTOR)) {
            return this;
        }
        var map = ConfigMap.of(Map.of("blend", blend.get("sources"), "walk", blend.get("walk")));
        var sources = Blend.read(map.getMap("blend"), id -> {
            throw new IllegalArgumentException("a model names no nodes.");
        });
        var settings = walk(map.getMap("walk"));
        map.check();
        if (!walk.equals(walk(ConfigMap.of(Map.of())))) {
            throw new IllegalArgumentException("The model brings its own walk. Leave `walk` out, or say how to blend with `blend`.");
        }
        return new RecommendConfig(model, BLEND, task, topK, concurrency, maxDegree, candidates, exclude, history, context, filter, maxPer,
            seen, blockedTypes, cosine, settings, sources, arrangement, rerank, timeBudgetMillis);
    }

    private static Walk.Settings walk(ConfigMap map) {
        return new Walk.Settings(
            alpha(map),
            map.getDouble("beta", BETA, 0, 2),
            map.getChoice("weights", "share", List.of("share", "count")).equals("share"),
            map.getInt("limit", WALK_LIMIT, 1, 100_000_000));
    }

    /** One exponent for all three steps, or a list of three. */
    private static List<Double> alpha(ConfigMap map) {
        if (!(map.getAny("alpha").orElse(null) instanceof List<?> list)) {
            var one = map.getDouble("alpha", ALPHA, 0.01, 3);
            return List.of(one, one, one);
        }
        if (list.size() != 3 || !list.stream().allMatch(one -> one instanceof Number number
                && number.doubleValue() >= 0.01 && number.doubleValue() <= 3)) {
            map.fault("`" + map.path("alpha") + "` must be a number in [0.01, 3] or three of them, one for each step, but is "
                + ConfigMap.describe(list) + ".");
            return List.of(ALPHA, ALPHA, ALPHA);
        }
        return list.stream().map(one -> ((Number) one).doubleValue()).toList();
    }

    private static Arrangement arrangement(ConfigMap map, int topK) {
        var diversity = map.getMap("diversity");
        var exploration = map.getMap("exploration");
        var pool = Math.max(
            diversity.getInt("pool", 100, 1, Arrangement.MAX_POOL), exploration.getInt("pool", 100, 1, Arrangement.MAX_POOL));
        var arrangement = new Arrangement(
            diversity.getDouble("weight", map.has("diversity") ? 0.3 : 0, 0, 1),
            exploration.getDouble("temperature", map.has("exploration") ? 0.1 : 0, 0, 100),
            exploration.getLong("seed", 0, Long.MIN_VALUE, Long.MAX_VALUE),
            Math.max(pool, topK));
        if (!arrangement.isNone() && topK > Arrangement.MAX_POOL) {
            map.fault("`diversity` and `exploration` put at most " + Arrangement.MAX_POOL + " items into order, but `topK` is " + topK
                + ". Ask for fewer, or leave them out.");
        }
        return arrangement;
    }

    /** Whether vectors of items are compared with that of the source. */
    public boolean comparesVectors() {
        return method.equals(VECTOR) || blend != null && blend.uses(VECTOR);
    }

    /** Whether the graph is walked. */
    public boolean walks() {
        return method.equals(WALK) || blend != null && blend.uses(WALK);
    }

    /**
     * The behaviours that keep an item away, checked against the task.
     *
     * @throws InvalidConfiguration when one is not in {@code via}, or a duration is asked where there is no time
     */
    public Map<String, Long> seenIn(Task task) {
        if (seen == null) {
            var names = new LinkedHashMap<String, Long>();
            task.seen().forEach(name -> names.put(name, FOREVER));
            return names;
        }
        var faults = new ArrayList<String>();
        for (var entry : seen.entrySet()) {
            if (!task.via().containsKey(entry.getKey())) {
                faults.add("`seen` names '" + entry.getKey() + "', which is not in `via` of the task."
                    + Suggestion.sentence(entry.getKey(), task.via().keySet()) + " Known: "
                    + String.join(", ", task.via().keySet()) + ". For other types use `blockedTypes`.");
            } else if (entry.getValue() != FOREVER && task.timeProperty() == null) {
                faults.add("`seen." + entry.getKey() + "` is a duration, but the task has no `timeProperty`.");
            }
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        return seen;
    }

    static long[] ids(ConfigMap map, String key, ToLongFunction<Object> nodeId) {
        return map.parse(key, value -> {
            var list = value instanceof List<?> many ? many : List.of(value);
            var ids = new long[list.size()];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = nodeId.applyAsLong(list.get(i));
            }
            return ids;
        }).orElse(null);
    }

    private static Map<String, Integer> maxPer(ConfigMap map) {
        var most = new LinkedHashMap<String, Integer>();
        for (var property : map.keys()) {
            if (!map.has(property)) {
                map.fault("`" + map.path(property) + "` is null; leave it out, or say how many rows may have the same value.");
            }
            most.put(property, map.getInt(property, 1, 1, MAX_TOP_K));
        }
        return most;
    }

    private static Map<String, Long> seen(ConfigMap map) {
        if (!map.has("seen")) {
            return null;
        }
        var names = new LinkedHashMap<String, Long>();
        if (map.getAny("seen").orElse(null) instanceof Map) {
            var windows = map.getMap("seen");
            for (var name : windows.keys()) {
                if (!windows.has(name)) {
                    windows.fault("`" + windows.path(name) + "` is null; leave it out, or give a duration such as 'P30D'.");
                }
                windows.parse(name, Durations::of).ifPresent(millis -> names.put(name, millis));
            }
        } else {
            map.getStrings("seen", List.of()).forEach(name -> names.put(name, FOREVER));
        }
        return names;
    }
}
