// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Where a job stands, in GDS's words, and the steps it may take from there. */
public enum JobStatus {
    PENDING,
    RUNNING,
    CANCELING,
    FINISHED,
    FAILED,
    CANCELED;

    /** Names in the order of a job's life. */
    public static final List<String> NAMES = Arrays.stream(values()).map(Enum::name).toList();

    /** @return null for what is no status, as on a node that was edited by hand */
    public static JobStatus of(Object text) {
        return text instanceof String name && NAMES.contains(name) ? valueOf(name) : null;
    }

    /** The statuses that may follow; a job that is running may be leased anew, so RUNNING follows itself. */
    public Set<JobStatus> next() {
        return switch (this) {
            case PENDING -> EnumSet.of(RUNNING, CANCELED, FAILED);
            // PENDING: a worker that stops hands the job back. CANCELED: nobody is working on it any more.
            case RUNNING -> EnumSet.of(RUNNING, PENDING, CANCELING, FINISHED, FAILED, CANCELED);
            // FINISHED: the model was deployed before the wish to cancel was heard.
            case CANCELING -> EnumSet.of(CANCELING, FINISHED, FAILED, CANCELED);
            case FINISHED, FAILED, CANCELED -> EnumSet.noneOf(JobStatus.class);
        };
    }

    public boolean isOver() {
        return next().isEmpty();
    }

    /** @throws IllegalStateException when the step is none of {@link #next} */
    public JobStatus to(JobStatus next) {
        if (!next().contains(next)) {
            throw new IllegalStateException("A job that is " + this + " cannot become " + next + "."
                + (isOver() ? " It is over." : " It may become " + String.join(", ", next().stream().map(Enum::name).toList()) + "."));
        }
        return next;
    }
}
