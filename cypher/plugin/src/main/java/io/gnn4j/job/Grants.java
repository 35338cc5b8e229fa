// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which projections a worker may open for which job. In memory alone: projections do not outlive the server either, and
 * nothing that anyone can write into the database makes one.
 */
public final class Grants {
    /**
     * @param owner whose projection it is; empty with authentication off
     * @param creationTime of the projection; another one of the same name is not meant
     */
    public record Grant(UUID database, String jobId, String owner, String graphName, ZonedDateTime creationTime) {}

    private record Key(UUID database, String jobId) {}

    private final Map<Key, Grant> grants = new ConcurrentHashMap<>();

    public void put(Grant grant) {
        grants.put(new Key(grant.database(), grant.jobId()), grant);
    }

    public Optional<Grant> of(UUID database, String jobId) {
        return Optional.ofNullable(grants.get(new Key(database, jobId)));
    }

    public void end(UUID database, String jobId) {
        grants.remove(new Key(database, jobId));
    }

    /** The grants of one database at this moment. */
    public List<Grant> of(UUID database) {
        return grants.values().stream().filter(grant -> grant.database().equals(database)).toList();
    }
}
