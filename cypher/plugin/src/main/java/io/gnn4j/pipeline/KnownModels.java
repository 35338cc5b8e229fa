// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The models that a worker can train, with their hyper-parameters: {@code gnn4j models} as a resource of the plugin. A
 * contract test holds it to the trainer's registry.
 */
public final class KnownModels {
    private static final Map<String, Model> MODELS = read();

    private record Model(Map<String, Object> entry, Map<String, Map<String, Object>> parameters) {}

    private KnownModels() {}

    @SuppressWarnings("unchecked")
    private static Map<String, Model> read() {
        try (var file = KnownModels.class.getResourceAsStream("/gnn4j/models.json")) {
            var models = new LinkedHashMap<String, Model>();
            for (var entry : (List<Map<String, Object>>) CanonicalJson.plain(CanonicalJson.parse("models.json", file.readAllBytes()))) {
                var parameters = new LinkedHashMap<String, Map<String, Object>>();
                ((List<Map<String, Object>>) entry.get("parameters")).forEach(one -> parameters.put((String) one.get("name"), one));
                models.put((String) entry.get("name"), new Model(entry, parameters));
            }
            return models;
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** What is trained where a pipeline names no model. */
    public static String standard() {
        return MODELS.entrySet().stream().filter(entry -> Boolean.TRUE.equals(entry.getValue().entry().get("default")))
            .map(Map.Entry::getKey).findFirst().orElseThrow();
    }

    /** Whether there is nothing a model could learn from without node properties. */
    public static boolean needsFeatures(Candidate candidate) {
        var entry = MODELS.get(candidate.model()).entry();
        return entry.get("needs") instanceof List<?> needs && needs.contains("item features")
            || Boolean.TRUE.equals(entry.get("readsFeatures")) && Boolean.FALSE.equals(candidate.config().get("identity"));
    }

    /** The largest value that a number of a candidate may take, its own or the default; empty where the model has no such number. */
    public static OptionalLong most(Candidate candidate, String parameter) {
        var described = MODELS.get(candidate.model()).parameters().get(parameter);
        if (described == null) {
            return OptionalLong.empty();
        }
        return switch (candidate.config().getOrDefault(parameter, described.get("default"))) {
            case Number one -> OptionalLong.of(one.longValue());
            case Map<?, ?> range when range.get("range") instanceof List<?> ends && ends.getLast() instanceof Number high ->
                OptionalLong.of(high.longValue());
            case null, default -> OptionalLong.empty();
        };
    }

    /**
     * A model with its hyper-parameters, names and ranges checked.
     *
     * @throws InvalidConfiguration with all faults
     */
    public static Candidate check(String name, Map<String, Object> raw) {
        if (name == null || !MODELS.containsKey(name)) {
            throw new InvalidConfiguration(List.of("Unknown model '" + name + "'."
                + Suggestion.sentence(String.valueOf(name), MODELS.keySet())
                + " Known: " + String.join(", ", MODELS.keySet()) + "."));
        }
        var model = MODELS.get(name);
        if (model.entry().get("contract") == null) {
            throw new InvalidConfiguration(List.of("'" + name + "' needs no training: gnn.recommend.stream answers by it at any time, with"
                + " `method`. Training measures it beside the others where `baselines` is true."));
        }
        if (model.entry().get("needs") instanceof List<?> needs && needs.contains("ratings")) {
            throw new InvalidConfiguration(List.of("'" + name + "' predicts ratings, which a pipeline does not read. `gnn4j benchmark"
                + " accuracy` trains it."));
        }
        var map = ConfigMap.of(raw);
        var config = new LinkedHashMap<String, Object>();
        model.parameters().forEach((key, parameter) -> {
            if (map.has(key)) {
                config.put(key, value(map, key, parameter));
            }
        });
        map.check();
        return new Candidate(name, config);
    }

    private static Object value(ConfigMap map, String key, Map<String, Object> parameter) {
        var raw = map.getAny(key).orElseThrow();
        var type = (String) parameter.get("type");
        var whole = type.startsWith("int");
        if (raw instanceof Map) {
            return range(map, key, parameter, whole, whole || type.startsWith("float"));
        }
        if (whole || type.startsWith("float")) {
            return number(map, key, raw, parameter, whole);
        }
        if (type.equals("bool")) {
            return map.getBoolean(key, false);
        }
        return parameter.get("choices") instanceof List<?> choices
            ? map.getChoice(key, null, choices.stream().map(String.class::cast).toList()) : map.getString(key, "");
    }

    private static Object range(ConfigMap map, String key, Map<String, Object> parameter, boolean whole, boolean isNumber) {
        var inner = map.getMap(key);
        var bounds = inner.getAny("range").orElse(null);
        var log = inner.getBoolean("log", false);
        if (!isNumber) {
            map.fault("`" + key + "` is no number, so it has no range; give one value.");
            return null;
        }
        if (!(bounds instanceof List<?> pair) || pair.size() != 2) {
            map.fault("`" + key + "` must be a number or {range: [low, high]}, but is "
                + ConfigMap.describe(map.getAny(key).orElse(null)) + ".");
            return null;
        }
        var low = number(map, key, pair.get(0), parameter, whole);
        var high = number(map, key, pair.get(1), parameter, whole);
        if (low != null && high != null && low.doubleValue() > high.doubleValue()) {
            map.fault("`" + key + "` has the range [" + low + ", " + high + "], whose end lies before its start.");
        }
        if (log && low != null && low.doubleValue() <= 0) {
            map.fault("`" + key + "` is searched by its logarithm, so its range must begin above 0, but begins at " + low + ".");
        }
        var range = new LinkedHashMap<String, Object>();
        var ends = new ArrayList<Object>();
        ends.add(low);
        ends.add(high);
        range.put("range", ends);
        if (log) {
            range.put("log", true);
        }
        return range;
    }

    private static Number number(ConfigMap map, String key, Object raw, Map<String, Object> parameter, boolean whole) {
        if (!(raw instanceof Number number) || whole && !(raw instanceof Long || raw instanceof Integer)) {
            map.fault("`" + key + "` must be " + (whole ? "an INTEGER" : "a FLOAT") + " or {range: [low, high]}, but is "
                + ConfigMap.describe(raw) + ".");
            return null;
        }
        var value = number.doubleValue();
        var low = parameter.get("low") instanceof Number bound ? bound.doubleValue() : Double.NEGATIVE_INFINITY;
        var high = parameter.get("high") instanceof Number bound ? bound.doubleValue() : Double.POSITIVE_INFINITY;
        var above = parameter.get("above") instanceof Number bound ? bound.doubleValue() : Double.NEGATIVE_INFINITY;
        if (!(value >= low && value <= high && value > above) || Double.isInfinite(value)) {
            var words = new ArrayList<String>();
            if (parameter.get("low") != null) {
                words.add("at least " + parameter.get("low"));
            }
            if (parameter.get("above") != null) {
                words.add("above " + parameter.get("above"));
            }
            if (parameter.get("high") != null) {
                words.add("at most " + parameter.get("high"));
            }
            map.fault("`" + key + "` must be " + (words.isEmpty() ? "finite" : String.join(" and ", words)) + ", but is " + number + ".");
            return null;
        }
        return whole ? (Number) number.longValue() : (Number) value;
    }
}
