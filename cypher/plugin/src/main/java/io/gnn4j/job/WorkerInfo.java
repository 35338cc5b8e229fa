// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

/**
 * A worker as it was last heard of.
 *
 * @param lastSeen epoch milliseconds
 * @param jobId what it works on, null for nothing and for jobs of others than who asks
 */
public record WorkerInfo(String worker, String device, long lastSeen, String jobId) {}
