// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;

/**
 * What a caller of {@code gnn.evaluate.stream} asked for.
 *
 * @param model alias or version; null: the only one there is
 * @param task given in the call where there is no model; null: the model's
 * @param methods out of {@link #METHODS}
 * @param truth which interactions are held out
 * @param k list lengths, ascending
 * @param metrics out of {@link Figures#NAMES}
 * @param sampleUsers most users that are asked; 0: all
 * @param randomSeed which users
 * @param slices {@value #ACTIVITY} or properties of the users
 * @param alpha of the walk; {@code beta}: how much it holds popular items back
 */
public record EvaluateConfig(
    String model,
    Task task,
    List<String> methods,
    Truth truth,
    List<Integer> k,
    List<String> metrics,
    int sampleUsers,
    long randomSeed,
    List<String> slices,
    double alpha,
    double beta,
    int concurrency) {

    public static final List<String> METHODS = List.of(RecommendConfig.VECTOR, RecommendConfig.POPULARITY, RecommendConfig.WALK);
    public static final String ACTIVITY = "activity";
    private static final List<String> OPERATORS = List.of("eq", "ne", "in", "gt", "gte", "lt", "lte");

    /**
     * Which interactions are held out, and which ones the rest.
     *
     * @param types names out of {@code via} whose interactions are held out; null: all
     * @param after epoch milliseconds: held out is what happened then or later; null: {@code where} alone decides
     * @param where bounds of relationship properties in the projection, by property and operator; empty: {@code after} decides
     * @param historyBefore epoch milliseconds: what is known of a user happened before; null: {@code after}
     */
    public record Truth(List<String> types, Long after, Map<String, Map<String, List<Double>>> where, Long historyBefore) {
        /** @param where whether the relationship has the properties */
        boolean holdsOut(String type, long time, boolean where) {
            return (types == null || types.contains(type)) && (after == null || time >= after) && where;
        }

        /** Whether it is among what is known, as long as nothing of the same pair is held out. */
        boolean leaves(long time, boolean where) {
            return after == null ? !where : time < historyBefore;
        }

        /** @param property its value, NaN where it has none */
        boolean holds(ToDoubleFunction<String> property) {
            for (var condition : where.entrySet()) {
                var value = property.applyAsDouble(condition.getKey());
                for (var bound : condition.getValue().entrySet()) {
                    if (!holds(bound.getKey(), value, bound.getValue())) {
                        return false;
                    }
                }
            }
            return true;
        }

        private static boolean holds(String operator, double value, List<Double> bounds) {
            var bound = bounds.isEmpty() ? Double.NaN : bounds.get(0);
            return !Double.isNaN(value) && switch (operator) {
                case "eq", "in" -> bounds.contains(value);
                case "ne" -> value != bound;
                case "gt" -> value > bound;
                case "gte" -> value >= bound;
                case "lt" -> value < bound;
                default -> value <= bound;
            };
        }
    }

    /** @throws InvalidConfiguration with all faults */
    public static EvaluateConfig parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var walk = map.getMap("walk");
        if (map.has("model") && map.has("task")) {
            map.fault(Task.BESIDE_A_MODEL);
        }
        var config = new EvaluateConfig(
            map.getString("model", null),
            map.has("task") ? Task.read(map.getMap("task")) : null,
            choices(map, "methods", METHODS),
            truth(map),
            lengths(map),
            choices(map, "metrics", Figures.NAMES),
            map.getInt("sampleUsers", 0, 0, Integer.MAX_VALUE),
            map.getLong("randomSeed", 0, Long.MIN_VALUE, Long.MAX_VALUE),
            map.getStrings("slices", List.of()),
            walk.getDouble("alpha", RecommendConfig.ALPHA, 0.01, 3),
            walk.getDouble("beta", RecommendConfig.BETA, 0, 2),
            map.getInt("concurrency", Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, 4), 1, 4));
        if (config.task() != null && config.methods().contains(RecommendConfig.VECTOR)) {
            map.fault("`task` is for the methods 'walk' and 'popularity'; with 'vector' the task of the model holds. Leave `task` out,"
                + " or name the `methods`.");
        }
        map.check();
        return config;
    }

    private static Truth truth(ConfigMap map) {
        var truth = map.getMap("truth");
        var where = truth.getMap("where");
        var types = truth.getStrings("types", null);
        var after = truth.has("after") ? (Long) truth.getLong("after", 0, Long.MIN_VALUE + 1, Long.MAX_VALUE) : null;
        var before = truth.has("historyBefore") ? (Long) truth.getLong("historyBefore", 0, Long.MIN_VALUE + 1, Long.MAX_VALUE) : null;
        if (!map.has("truth") || after == null && where.keys().isEmpty()) {
            map.fault("`truth` must say which interactions are held out: {after: 1767225600000} by time, or"
                + " {where: {test: 1}} by a property of the relationships in the projection.");
        }
        if (before != null && (after == null || before > after)) {
            map.fault("`truth.historyBefore` needs `truth.after`, and must not lie behind it.");
        }
        var conditions = new LinkedHashMap<String, Map<String, List<Double>>>();
        for (var property : where.keys()) {
            conditions.put(property, bounds(where, property));
        }
        return new Truth(types, after, conditions, before == null ? after : before);
    }

    private static Map<String, List<Double>> bounds(ConfigMap where, String property) {
        var value = where.getAny(property).orElse(null);
        if (!(value instanceof Map)) {
            return Map.of("in", numbers(where, property, value));
        }
        var operators = where.getMap(property);
        var bounds = new LinkedHashMap<String, List<Double>>();
        for (var operator : OPERATORS) {
            if (operators.keys().contains(operator)) {
                bounds.put(operator, numbers(operators, operator, operators.getAny(operator).orElse(null)));
            }
        }
        if (bounds.isEmpty()) {
            where.fault("`" + where.path(property) + "` compares with nothing; use one of " + String.join(", ", OPERATORS) + ".");
        }
        return bounds;
    }

    private static List<Double> numbers(ConfigMap map, String key, Object value) {
        var values = value instanceof List<?> list ? list : value == null ? List.of() : List.of(value);
        if (values.isEmpty() || !values.stream().allMatch(Number.class::isInstance)) {
            map.fault("`" + map.path(key) + "` must be a number or a list of numbers, which is all a projection holds, but is "
                + ConfigMap.describe(value) + ".");
            return List.of();
        }
        return values.stream().map(number -> ((Number) number).doubleValue()).toList();
    }

    private static List<Integer> lengths(ConfigMap map) {
        return map.parse("k", value -> {
            var found = new TreeSet<Integer>();
            for (var one : value instanceof List<?> list ? list : List.of(value)) {
                if (!(one instanceof Long length) || length < 1 || length > 1000) {
                    throw new IllegalArgumentException("a list length is an INTEGER in [1, 1000], but " + ConfigMap.describe(one)
                        + " was given.");
                }
                found.add(length.intValue());
            }
            if (found.isEmpty()) {
                throw new IllegalArgumentException("name at least one list length, as [10, 20].");
            }
            return List.copyOf(found);
        }).orElse(List.of(10, 20));
    }

    private static List<String> choices(ConfigMap map, String key, List<String> known) {
        var given = map.getStrings(key, known);
        var chosen = new ArrayList<String>();
        for (var name : given) {
            if (!known.contains(name)) {
                map.fault("Unknown value '" + name + "' in `" + map.path(key) + "`." + Suggestion.sentence(name, known) + " Known: "
                    + String.join(", ", known) + ".");
            } else if (!chosen.contains(name)) {
                chosen.add(name);
            }
        }
        if (given.isEmpty()) {
            map.fault("`" + map.path(key) + "` is empty. Known: " + String.join(", ", known) + ".");
        }
        return chosen;
    }

    /** @throws InvalidConfiguration when {@code truth.types} names what is not in {@code via} of the task */
    public void checkAgainst(Task task) {
        var faults = new ArrayList<String>();
        for (var name : truth.types() == null ? List.<String>of() : truth.types()) {
            if (!task.via().containsKey(name)) {
                faults.add("`truth.types` names '" + name + "', which is not in `via` of the task."
                    + Suggestion.sentence(name, task.via().keySet()) + " Known: " + String.join(", ", task.via().keySet()) + ".");
            }
        }
        if (truth.after() != null && task.timeProperty() == null) {
            faults.add("`truth.after` needs times, and the task has no `timeProperty`. Use `truth.where`.");
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
    }
}
