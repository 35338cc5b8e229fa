// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.util.Map;

/**
 * A training that comes again, as its owner sees it.
 *
 * @param name pipeline and model, by which it is cancelled
 * @param progress part of the wait for the next job that is over, in [0, 1]
 * @param timeLeftMillis until it is due; null where that is not a matter of time
 */
public record ScheduleInfo(
    String name,
    String pipeline,
    String modelName,
    double progress,
    Long timeLeftMillis,
    String message,
    Map<String, Object> configuration) {}
