// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Task;
import java.util.function.LongSupplier;

/**
 * What one call asks, and of which graph.
 *
 * @param store the caller's transaction
 * @param clock now, in epoch milliseconds, for durations of {@code seen} and ages
 * @param deadline from which re-ranking and blending are left out
 * @param guard throws when the call is ended
 */
public record RecommendCall(
    LiveStore store, Task task, RecommendConfig config, LongSupplier clock, Deadline deadline, Runnable guard) {}
