// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

/**
 * What became of rows.
 *
 * @param created relationships that were made; 0 for nodes
 * @param written property values set or, for nulls, removed
 * @param skippedMissing rows with a node that is gone
 * @param skippedChanged rows with a node that lacks the label or has another key: the id was given to another node
 * @param firstError why the first batch failed, null where none did
 */
public record WriteOutcome(
        long created, long written, long skippedMissing, long skippedChanged, long batchesCommitted, long batchesFailed,
        String firstError) {
    public static final WriteOutcome NOTHING = new WriteOutcome(0, 0, 0, 0, 0, 0, null);

    static WriteOutcome failed(String reason) {
        return new WriteOutcome(0, 0, 0, 0, 0, 1, reason);
    }

    public WriteOutcome plus(WriteOutcome other) {
        return new WriteOutcome(
            created + other.created, written + other.written, skippedMissing + other.skippedMissing,
            skippedChanged + other.skippedChanged, batchesCommitted + other.batchesCommitted,
            batchesFailed + other.batchesFailed, firstError == null ? other.firstError : firstError);
    }
}
