// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.ConfigMap;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a worker says about its job; what it does not say is null and stays as it was.
 *
 * @param state RUNNING, FINISHED, FAILED, CANCELED, or PENDING to hand the job back
 * @param metrics JSON; so are modelInfo and modelSelectionStats
 */
public record JobReport(
    JobStatus state,
    Double progress,
    Long epoch,
    String metrics,
    String device,
    Long timeLeftMillis,
    String message,
    List<Line> log,
    Long modelVersion,
    String modelInfo,
    String modelSelectionStats) {

    public static final List<String> LEVELS = List.of("DEBUG", "INFO", "WARNING", "ERROR");
    private static final List<String> STATES = List.of("RUNNING", "FINISHED", "FAILED", "CANCELED", "PENDING");
    private static final int MAX_LINES = 1_000;
    private static final int MAX_TEXT = 10_000;

    /** One line of the job's log. */
    public record Line(String level, String message) {}

    /** @throws io.gnn4j.config.InvalidConfiguration with all faults */
    public static JobReport parse(Map<String, Object> raw) {
        var map = ConfigMap.of(raw);
        var report = new JobReport(
            JobStatus.of(map.getChoice("state", null, STATES)),
            map.has("progress") ? map.getDouble("progress", 0, 0, 1) : null,
            number(map, "epoch", 0),
            json(map, "metrics"),
            map.getString("device", null),
            number(map, "timeLeftMillis", 0),
            shortened(map.getString("message", null)),
            lines(map),
            number(map, "modelVersion", 1),
            json(map, "modelInfo"),
            json(map, "modelSelectionStats"));
        if (report.state == JobStatus.FAILED && (report.message == null || report.message.isBlank())) {
            map.fault("A report of FAILED needs a `message`: why, and what to do.");
        }
        map.check();
        return report;
    }

    private static Long number(ConfigMap map, String key, long minimum) {
        return map.has(key) ? map.getLong(key, minimum, minimum, Long.MAX_VALUE) : null;
    }

    private static String json(ConfigMap map, String key) {
        return map.parse(key, value -> {
            if (!(value instanceof Map)) {
                throw new IllegalArgumentException("it must be a MAP, but is " + ConfigMap.describe(value) + ".");
            }
            return ConfigJson.write(key, value);
        }).orElse(null);
    }

    private static List<Line> lines(ConfigMap map) {
        return map.parse("log", value -> {
            if (!(value instanceof List<?> list) || list.size() > MAX_LINES) {
                throw new IllegalArgumentException("it must be a list of at most " + MAX_LINES + " maps {level, message}.");
            }
            var lines = new ArrayList<Line>();
            for (var one : list) {
                if (!(one instanceof Map<?, ?> line) || !LEVELS.contains(line.get("level"))
                    || !(line.get("message") instanceof String text)) {
                    throw new IllegalArgumentException("a line is {level: " + String.join(" | ", LEVELS) + ", message: STRING}, but is "
                        + ConfigMap.describe(one) + ".");
                }
                lines.add(new Line((String) line.get("level"), shortened(text)));
            }
            return List.copyOf(lines);
        }).orElse(List.of());
    }

    private static String shortened(String text) {
        return text == null || text.length() <= MAX_TEXT ? text : text.substring(0, MAX_TEXT) + "…";
    }
}
