// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.util.Map;

/** One job as its owner sees it; times are epoch milliseconds, null where it has not come to that yet. */
public record JobInfo(
    String id,
    String owner,
    JobStatus status,
    String pipeline,
    String modelName,
    String graphName,
    double progress,
    Long epoch,
    Map<String, Object> metrics,
    String device,
    String worker,
    long attempt,
    Long submittedAt,
    Long startedAt,
    Long finishedAt,
    Long timeLeftMillis,
    String message,
    Map<String, Object> configuration,
    Map<String, Object> modelInfo,
    Map<String, Object> modelSelectionStats) {}
