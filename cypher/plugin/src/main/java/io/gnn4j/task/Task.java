// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.task;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.Suggestion;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What is recommended to whom, and by which behaviours: the map of the Python side, read by the same rules.
 *
 * <p>Only {@code recommend}, {@code to} and {@code via} are needed to answer from the live graph; {@code key} is asked
 * for where files are written, so it may be left out here.
 *
 * @param recommend label of the recommended nodes
 * @param to label of those who receive; may equal {@code recommend}
 * @param key property that identifies a node, by label
 * @param via behaviours by name, at least one, in the order given
 * @param timeProperty INTEGER epoch milliseconds UTC on the relationships, or null
 * @param horizon ISO-8601 duration of the test part, or null
 * @param seen names out of {@code via} that make an item known to a user
 * @param eventKey what makes two events the same one at ingestion
 * @param features properties the models may read, by label
 * @param ratings properties that hold what was rated, by relationship type; read where models are trained, not here
 */
public record Task(
    String recommend,
    String to,
    Map<String, String> key,
    Map<String, Behaviour> via,
    String timeProperty,
    String horizon,
    List<String> seen,
    List<String> eventKey,
    List<String> alsoLabels,
    List<String> alsoTypes,
    Map<String, List<String>> features,
    Map<String, String> ratings) {

    /** What is said to who names both, so that neither is left out in silence. */
    public static final String BESIDE_A_MODEL =
        "`model` and `task` are both given, but a model brings its own task. Leave one of them out.";

    /** @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static Task of(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var task = read(map);
        map.check();
        return task;
    }

    /**
     * Reads a task that is part of a larger map. Faults are collected in {@code map}; the result may be used only after
     * its {@code check()} has passed.
     */
    public static Task read(ConfigMap map) {
        var recommend = label(map, "recommend");
        var to = label(map, "to");
        var alsoLabels = map.getStrings("alsoLabels", List.of());
        var labels = labels(recommend, to, alsoLabels);
        var via = behaviours(map);
        var timeProperty = name(map, "timeProperty");
        var horizon = name(map, "horizon");
        if (horizon != null) {
            map.parse("horizon", value -> Durations.millis((String) value));
            if (timeProperty == null) {
                map.fault("`horizon` needs `timeProperty`, the property that holds the time of an event.");
            }
        }
        var defaultEvent = new ArrayList<>(List.of("source", "type", "target"));
        if (timeProperty != null) {
            defaultEvent.add(timeProperty);
        }
        return new Task(
            recommend,
            to,
            keys(map, labels),
            via,
            timeProperty,
            horizon,
            seen(map, via),
            map.getStrings("eventKey", List.copyOf(defaultEvent)),
            alsoLabels,
            map.getStrings("alsoTypes", List.of()),
            features(map, labels),
            ratings(map));
    }

    /** Recommended, receiving, further ones, each once; a node's type is the first of them that it carries. */
    public List<String> labels() {
        return labels(recommend, to, alsoLabels);
    }

    private static List<String> labels(String recommend, String to, List<String> alsoLabels) {
        return Stream.concat(Stream.of(recommend, to), alsoLabels.stream()).filter(label -> !label.isEmpty()).distinct().toList();
    }

    /** Relationship types: of the behaviours' paths, and further ones, each once. */
    public List<String> types() {
        return Stream.concat(via.values().stream().flatMap(behaviour -> behaviour.path().stream()), alsoTypes.stream()).distinct().toList();
    }

    /** The behaviours of {@code names}; every name must be one of {@code via}. */
    public List<Behaviour> behaviours(List<String> names) {
        return names.stream().map(via::get).toList();
    }

    /** The largest weight in {@code via}; what an interaction counts that has no type of its own. */
    public double largestWeight() {
        return via.values().stream().mapToDouble(Behaviour::weight).max().orElse(1.0);
    }

    private static String label(ConfigMap map, String key) {
        if (!map.has(key)) {
            map.fault("`" + map.path(key) + "` is missing: name a label.");
            return "";
        }
        var label = map.getString(key, "");
        if (label.isBlank() && map.getAny(key).orElse(null) instanceof String) {
            map.fault("`" + map.path(key) + "` is empty: name a label.");
        }
        return label;
    }

    private static String name(ConfigMap map, String key) {
        var name = map.getString(key, null);
        if (name != null && name.isBlank()) {
            map.fault("`" + map.path(key) + "` is empty; leave it out or name one.");
            return null;
        }
        return name;
    }

    private static Map<String, Behaviour> behaviours(ConfigMap map) {
        var given = map.getMap("via");
        if (!map.has("via")) {
            map.fault("`" + map.path("via") + "` is missing: name the relationship types and their weights, as {BUY: 1.0}.");
        } else if (given.keys().isEmpty() && map.getAny("via").orElse(null) instanceof Map) {
            map.fault("`" + map.path("via") + "` is empty: name at least one behaviour, as {BUY: 1.0}.");
        }
        var via = new LinkedHashMap<String, Behaviour>();
        for (var name : given.keys()) {
            via.put(name, behaviour(given, name));
        }
        return Collections.unmodifiableMap(via);
    }

    private static Behaviour behaviour(ConfigMap via, String name) {
        if (!(via.getAny(name).orElse(null) instanceof Map)) {
            return new Behaviour(name, weight(via, name), false, List.of(name));
        }
        var entry = via.getMap(name);
        var weight = weight(entry, "weight");
        var incoming = "in".equals(entry.getChoice("direction", "out", List.of("out", "in")));
        var path = entry.getStrings("through", List.of(name));
        if (entry.has("through") && path.size() < 2) {
            entry.fault("`" + entry.path("through") + "` must list at least two relationship types, as ['PLACED', 'CONTAINS'].");
        }
        return new Behaviour(name, weight, incoming, path);
    }

    private static double weight(ConfigMap map, String key) {
        var weight = map.getDouble(key, 1.0, -Double.MAX_VALUE, Double.MAX_VALUE);
        if (weight <= 0) {
            map.fault("`" + map.path(key) + "` must be a weight above 0, but is " + weight + ".");
            return 1.0;
        }
        return weight;
    }

    private static Map<String, String> keys(ConfigMap map, List<String> labels) {
        var given = map.getMap("key");
        var keys = new LinkedHashMap<String, String>();
        for (var label : given.keys()) {
            known(map, "key", label, labels);
            keys.put(label, given.getString(label, ""));
        }
        return Collections.unmodifiableMap(keys);
    }

    private static List<String> seen(ConfigMap map, Map<String, Behaviour> via) {
        var seen = map.getStrings("seen", List.copyOf(via.keySet()));
        for (var name : seen) {
            if (!via.isEmpty() && !via.containsKey(name)) {
                map.fault("`" + map.path("seen") + "` names '" + name + "', which is not in `via`."
                    + Suggestion.sentence(name, via.keySet()) + " Known: " + String.join(", ", via.keySet()) + ".");
            }
        }
        return seen.stream().filter(via::containsKey).toList();
    }

    private static Map<String, List<String>> features(ConfigMap map, List<String> labels) {
        var given = map.getMap("features");
        var features = new LinkedHashMap<String, List<String>>();
        for (var label : given.keys()) {
            known(map, "features", label, labels);
            features.put(label, given.getStrings(label, List.of()));
        }
        return Collections.unmodifiableMap(features);
    }

    private static Map<String, String> ratings(ConfigMap map) {
        var given = map.getMap("ratings");
        var ratings = new LinkedHashMap<String, String>();
        for (var type : given.keys()) {
            ratings.put(type, name(given, type));
        }
        return Collections.unmodifiableMap(ratings);
    }

    private static void known(ConfigMap map, String key, String label, List<String> labels) {
        if (!labels.isEmpty() && !labels.contains(label)) {
            map.fault("`" + map.path(key) + "` names the label '" + label + "', which the task does not."
                + Suggestion.sentence(label, labels) + " Labels: " + String.join(", ", labels) + ".");
        }
    }
}
