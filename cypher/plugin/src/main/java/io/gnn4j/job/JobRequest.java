// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.time.ZonedDateTime;

/**
 * What is to be trained, as it stood when it was asked for. Texts are JSON and are never changed afterwards.
 *
 * @param owner who asked; empty with authentication off
 * @param frozen the pipeline
 * @param graphName the owner's projection, or null: the worker projects the task itself
 * @param creationTime of that projection, or null
 * @param configuration of the call
 * @param schedule name of the schedule that asked, or null
 */
public record JobRequest(
    String owner,
    String pipeline,
    String frozen,
    String modelName,
    String graphName,
    ZonedDateTime creationTime,
    String configuration,
    String schedule) {}
