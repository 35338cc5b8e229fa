// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.feedback;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What became of one recommended item.
 *
 * @param recommendationId of the list, made by the caller
 * @param kind one of {@link #KINDS}
 * @param source who got the list; null where that node is gone
 * @param node the item; null where it is gone
 * @param rank where it stood, from 1, or null
 * @param model name of the model that gave it, or null; {@code version} likewise
 * @param at epoch milliseconds
 */
public record FeedbackEvent(
    String recommendationId, String kind, Long source, Long node, Long rank, String model, Long version, long at) {

    public static final String DISMISS = "dismiss";
    public static final List<String> KINDS = List.of("impression", "click", DISMISS);
    public static final int MOST = 100_000;
    private static final int LONGEST_ID = 200;

    /** What holds for events that do not say it themselves. */
    private record Defaults(String model, Long version, long at) {}

    /**
     * @param nodeId the id of a node value; throws IllegalArgumentException for anything else
     * @param now epoch milliseconds
     * @throws InvalidConfiguration with all faults of all events
     */
    public static List<FeedbackEvent> parse(
            List<Map<String, Object>> events, Map<String, Object> configuration, ToLongFunction<Object> nodeId, long now) {
        var map = ConfigMap.of(configuration);
        var defaults = new Defaults(map.getString("model", null), version(map), at(map, now));
        map.check();
        if (events.size() > MOST) {
            throw new InvalidConfiguration(List.of("`events` holds " + events.size() + " events; send at most " + MOST + " in one call."));
        }
        var parsed = new ArrayList<FeedbackEvent>(events.size());
        var faults = new ArrayList<String>();
        for (int i = 0; i < events.size(); i++) {
            try {
                parsed.add(parse(events.get(i), defaults, nodeId));
            } catch (InvalidConfiguration wrong) {
                for (var fault : wrong.faults()) {
                    faults.add("Event " + (i + 1) + ": " + fault);
                }
                if (faults.size() > 20) {
                    break; // whoever sends a wrong file needs no more
                }
            }
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        return parsed;
    }

    private static FeedbackEvent parse(Map<String, Object> event, Defaults defaults, ToLongFunction<Object> nodeId) {
        if (event == null) {
            throw new InvalidConfiguration(List.of("it is null; leave it out."));
        }
        var map = ConfigMap.of(event);
        var id = map.getString("recommendationId", null);
        var kind = map.getChoice("kind", null, KINDS);
        if (event.get("recommendationId") == null || id != null && (id.isBlank() || id.length() > LONGEST_ID)) {
            map.fault("`recommendationId` must be a STRING of 1 to " + LONGEST_ID + " characters that the caller made for the list.");
        }
        if (kind == null && event.get("kind") == null) {
            map.fault("`kind` is missing; it is one of " + String.join(", ", KINDS) + ".");
        }
        var nodes = new Long[2];
        for (var end : List.of("source", "node")) {
            if (!event.containsKey(end)) {
                map.fault("`" + end + "` is missing: give the node that " + (end.equals("node") ? "was recommended." : "got the list."));
            }
            nodes[end.equals("node") ? 1 : 0] = map.parse(end, nodeId::applyAsLong).orElse(null);
        }
        var parsed = new FeedbackEvent(id, kind, nodes[0], nodes[1],
            map.has("rank") ? (Long) map.getLong("rank", 1, 1, Integer.MAX_VALUE) : null,
            map.getString("model", defaults.model()),
            map.has("version") ? version(map) : defaults.version(),
            at(map, defaults.at()));
        map.check();
        return parsed;
    }

    private static Long version(ConfigMap map) {
        return map.has("version") ? (Long) map.getLong("version", 1, 1, Long.MAX_VALUE) : null;
    }

    private static long at(ConfigMap map, long fallback) {
        return map.getLong("at", fallback, 0, Long.MAX_VALUE);
    }
}
