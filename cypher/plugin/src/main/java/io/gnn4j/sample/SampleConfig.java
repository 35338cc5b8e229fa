// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What to sample, as given; {@link #plan} completes it with what the graph has.
 *
 * @param store whether the live store is read, and not a projection
 * @param nodeLabels empty means all
 * @param relationshipTypes empty means all
 * @param relations null means those of the graph
 * @param fanOut senders drawn at hop 1, 2, … where a relation does not say otherwise
 * @param seedLabel null where there is one node type
 * @param seeds Neo4j ids; null means all nodes of the type
 * @param before one time for each seed, a single one for all, or null
 * @param nodeProperties null means all
 */
public record SampleConfig(
        boolean store, List<String> nodeLabels, List<String> labelPriority, List<String> relationshipTypes, String direction,
        List<SampledRelation> relations, List<Integer> fanOut, String seedLabel, long[] seeds, long[] before, boolean coo,
        boolean disjoint, boolean replace, long randomSeed, String weightProperty, String timeProperty, int last,
        List<String> edgeProperties, List<String> nodeProperties, int batchSize, int concurrency, int maxDegree) {
    /** The keys, for the signature. */
    public static final String KEYS = "{ seedLabel :: STRING (the type of the seeds, needed where there are several),"
        + " seeds = all of seedLabel :: BYTES (little-endian int64 Neo4j ids) or LIST<INTEGER | NODE>,"
        + " fanOut :: LIST<INTEGER> (senders drawn by each receiver, hop by hop), format = 'blocks' :: STRING ('blocks' or 'coo'),"
        + " batchSize = 1024 :: INTEGER, randomSeed = 0 :: INTEGER, replace = false :: BOOLEAN,"
        + " relationshipWeightProperty = null :: STRING, timeProperty = null :: STRING,"
        + " before = null :: INTEGER, BYTES or LIST<INTEGER> (a time for all seeds, or one for each),"
        + " last = 0 :: INTEGER (draw among so many newest; 0 means all), disjoint = false :: BOOLEAN ('coo' only),"
        + " relations = null :: LIST<MAP> (of sender, type, receiver, direction = 'out', fanOut),"
        + " direction = 'both' :: STRING ('both', 'in' or 'out'), nodeLabels = ['*'] :: LIST<STRING>,"
        + " relationshipTypes = ['*'] :: LIST<STRING>, labelPriority = [] :: LIST<STRING>, task = null :: MAP,"
        + " nodeProperties = [] :: LIST<STRING>, relationshipProperties = [] :: LIST<STRING>,"
        + " source = 'projection' :: STRING ('store' reads the live store; graphName is then null),"
        + " maxDegree = 10000 :: INTEGER (relationships read of a node, 'store' only),"
        + " concurrency = half the cores :: INTEGER (1 to 4) }";

    private static final int MOST_HOPS = 10;
    private static final int MOST_DRAWN = 10_000;
    private static final int MOST_THREADS = 4;
    private static final int MOST_SEEDS = 1_000_000;
    private static final List<String> EVERYTHING = List.of("*");

    /** @param raw nodes in it already replaced by their Neo4j ids */
    public static SampleConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        boolean store = map.getChoice("source", "projection", List.of("projection", "store")).equals("store");
        var taskLabels = map.has("task") ? Task.read(map.getMap("task")).labels() : List.<String>of();
        if (map.has("labelPriority") && !taskLabels.isEmpty()) {
            map.fault("`labelPriority` and `task` exclude each other: the labels of a task decide in their own order.");
        }
        var fanOut = fanOut(map);
        var relations = map.parse("relations", value -> relations(value, fanOut)).orElse(null);
        var time = map.getString("timeProperty", null);
        var before = map.parse("before", value -> value instanceof Long one ? new long[] {one} : ConfigMap.numbers(value)).orElse(null);
        int last = map.getInt("last", 0, 0, Integer.MAX_VALUE);
        if (time == null && (before != null || last > 0)) {
            map.fault("`" + (before != null ? "before" : "last") + "` needs `timeProperty`: the property that tells when.");
        }
        var coo = map.getChoice("format", "blocks", List.of("blocks", "coo")).equals("coo");
        var disjoint = map.getBoolean("disjoint", false);
        if (disjoint && !coo) {
            map.fault("`disjoint` needs `format` 'coo': blocks never mix what seeds draw.");
        }
        var seeds = map.parse("seeds", ConfigMap::numbers).orElse(null);
        if (seeds != null && before != null && before.length > 1 && before.length != seeds.length) {
            map.fault("`before` has " + before.length + " times for " + seeds.length + " seeds. Give one for all, or one for each.");
        }
        var nodeProperties = map.getStrings("nodeProperties", List.of());
        if (store) {
            if (relations == null) {
                map.fault("`source` 'store' needs `relations`: a list of maps of sender, type, receiver, direction and fanOut.");
            }
            if (!nodeProperties.isEmpty()) {
                map.fault("`nodeProperties` are gathered from projections. With `source` 'store' read them by id: MATCH (n) WHERE id(n) …");
            }
        } else if (map.has("maxDegree")) {
            map.fault("`maxDegree` belongs to `source` 'store': a projection is read whole.");
        }
        var direction = map.getChoice("direction", "both", List.of("both", "in", "out"));
        var types = names(map.getStrings("relationshipTypes", EVERYTHING));
        if (relations != null && (map.has("direction") || map.has("relationshipTypes"))) {
            map.fault("`relations` says it all: leave `direction` and `relationshipTypes` out.");
        }
        var config = new SampleConfig(
            store, names(map.getStrings("nodeLabels", taskLabels.isEmpty() ? EVERYTHING : taskLabels)),
            map.getStrings("labelPriority", taskLabels), types, direction, relations, fanOut, map.getString("seedLabel", null), seeds,
            before, coo, disjoint, map.getBoolean("replace", false), map.getLong("randomSeed", 0, Long.MIN_VALUE, Long.MAX_VALUE),
            map.getString("relationshipWeightProperty", null), time, last,
            map.getStrings("relationshipProperties", List.of()).stream().distinct().toList(),
            nodeProperties.equals(EVERYTHING) ? null : nodeProperties.stream().distinct().toList(),
            map.getInt("batchSize", 1024, 1, MOST_SEEDS),
            map.getInt("concurrency", defaultConcurrency(), 1, MOST_THREADS),
            map.getInt("maxDegree", 10_000, 1, 10_000_000));
        map.check();
        return config;
    }

    private static List<Integer> fanOut(ConfigMap map) {
        var found = map.parse("fanOut", SampleConfig::drawn);
        if (found.isEmpty() && !map.has("fanOut")) {
            map.fault("`fanOut` is missing: a LIST<INTEGER>, how many senders each receiver draws at hop 1, 2, …, as [15, 10].");
        }
        return found.orElse(List.of(1));
    }

    private static List<Integer> drawn(Object value) {
        if (!(value instanceof List<?> list) || list.isEmpty() || list.size() > MOST_HOPS
                || !list.stream().allMatch(drawn -> drawn instanceof Long number && number >= 0 && number <= MOST_DRAWN)) {
            throw new IllegalArgumentException("must be a LIST<INTEGER> of 1 to " + MOST_HOPS + " hops with 0 to " + MOST_DRAWN
                + " senders each, but is " + ConfigMap.describe(value) + ".");
        }
        return list.stream().map(drawn -> ((Long) drawn).intValue()).toList();
    }

    private static List<SampledRelation> relations(Object value, List<Integer> fanOut) {
        if (!(value instanceof List<?> list) || list.isEmpty() || !list.stream().allMatch(Map.class::isInstance)) {
            throw new IllegalArgumentException("must be a LIST<MAP> of sender, type, receiver, direction and fanOut, but is "
                + ConfigMap.describe(value) + ".");
        }
        var faults = new ArrayList<String>();
        var found = new ArrayList<SampledRelation>();
        for (int r = 0; r < list.size(); r++) {
            try {
                found.add(relation((Map<?, ?>) list.get(r), fanOut));
            } catch (InvalidConfiguration invalid) {
                int number = r;
                invalid.faults().forEach(fault -> faults.add("Entry " + number + " of `relations`: " + fault));
            }
        }
        var once = new TreeSet<String>();
        found.stream().map(SampledRelation::toString).filter(name -> !once.add(name)).distinct()
            .forEach(name -> faults.add("`relations` has " + name + " twice. Leave one out."));
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        return found;
    }

    @SuppressWarnings("unchecked")
    private static SampledRelation relation(Map<?, ?> entry, List<Integer> fanOut) {
        var map = ConfigMap.of((Map<String, Object>) entry);
        var ends = new ArrayList<String>();
        for (var key : List.of("sender", "type", "receiver")) {
            ends.add(map.getString(key, ""));
            if (!map.has(key)) {
                map.fault("`" + key + "` is missing.");
            }
        }
        boolean incoming = map.getChoice("direction", "out", List.of("out", "in")).equals("in");
        var own = map.parse("fanOut", SampleConfig::drawn).orElse(fanOut);
        if (own.size() != fanOut.size()) {
            map.fault("`fanOut` " + own + " is of " + own.size() + " hops, the outer one " + fanOut + " of " + fanOut.size() + ".");
        }
        map.check();
        return new SampledRelation(ends.get(0), ends.get(1), ends.get(2), incoming, own);
    }

    /** Half the cores, at least 1 and at most 4. */
    private static int defaultConcurrency() {
        return Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_THREADS);
    }

    private static List<String> names(List<String> given) {
        return given.equals(EVERYTHING) ? List.of() : given.stream().distinct().toList();
    }

    /** The node types: as given, else those the relations name, else null: whatever the graph has. */
    private List<String> givenLabels() {
        if (!nodeLabels.isEmpty()) {
            return nodeLabels;
        }
        if (relations == null) {
            return null;
        }
        var ends = new TreeSet<String>();
        relations.forEach(relation -> ends.addAll(List.of(relation.sender(), relation.receiver())));
        if (seedLabel != null) {
            ends.add(seedLabel);
        }
        return List.copyOf(ends);
    }

    /** @param access null with {@code store}: then everything was given */
    SamplePlan plan(ProjectedNeighbours.Access access) {
        var labels = givenLabels();
        if (labels == null) {
            labels = access.graph().labels();
        }
        var drawn = relations;
        if (drawn == null) {
            drawn = access.relations(labels, labelPriority, relationshipTypes).stream()
                .filter(relation -> direction.equals("both") || direction.equals(relation.direction()))
                .map(relation -> relation.withFanOut(fanOut)).toList();
        } else {
            var ends = labels;
            var foreign = drawn.stream().flatMap(relation -> Stream.of(relation.sender(), relation.receiver())).distinct()
                .filter(end -> !ends.contains(end)).toList();
            if (!foreign.isEmpty()) {
                throw new InvalidConfiguration(List.of("`relations` names " + String.join(", ", foreign)
                    + ", which `nodeLabels` leaves out. It has " + String.join(", ", labels) + "."));
            }
        }
        return new SamplePlan(
            labels, drawn, fanOut.size(), randomSeed, replace, weightProperty, timeProperty, last, edgeProperties);
    }

    int seedType(SamplePlan plan) {
        var types = plan.nodeTypes();
        if (seedLabel == null && types.size() == 1) {
            return 0;
        }
        if (seedLabel == null || !types.contains(seedLabel)) {
            throw new InvalidConfiguration(List.of(seedLabel == null
                ? "`seedLabel` is missing: the type of the seeds, one of " + String.join(", ", types) + "."
                : "`seedLabel` '" + seedLabel + "' is none of the node types " + String.join(", ", types) + "."));
        }
        return types.indexOf(seedLabel);
    }

    /** @param all every node of the seeds' type, ascending, for where none are given */
    Seeds seeds(int type, long[] all) {
        var ids = seeds == null ? all : seeds;
        if (before == null) {
            return new Seeds(type, ids, null);
        }
        var times = before;
        if (before.length == 1 && ids.length != 1) {
            times = new long[ids.length];
            Arrays.fill(times, before[0]);
        }
        if (times.length != ids.length) {
            throw new InvalidConfiguration(List.of("`before` has " + before.length + " times for the " + ids.length
                + " nodes of the seeds' type. Give one for all, or one for each."));
        }
        return new Seeds(type, ids, times);
    }
}
