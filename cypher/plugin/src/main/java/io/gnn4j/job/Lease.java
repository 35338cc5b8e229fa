// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.util.Map;

/**
 * A job in the hands of a worker.
 *
 * @param token proves it; shown once
 * @param job all the worker needs to know
 * @param millis until the lease ends unless it is renewed
 */
public record Lease(String jobId, String token, long attempt, Map<String, Object> job, long millis) {}
