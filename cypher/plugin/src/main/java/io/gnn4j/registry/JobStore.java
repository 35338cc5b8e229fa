// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.job.JobInfo;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.JobStatus;
import java.time.ZonedDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/** The nodes of jobs; docs/formats.md section 8 is the contract. Anyone may have edited them: what counts is sealed. */
final class JobStore {
    /** Workers that may fail a job by vanishing before the job itself is held to be at fault. */
    static final int ATTEMPTS = 3;
    static final Label JOB = Label.label("GnnJob");
    static final Label PROJECTION = Label.label("GnnProjection");
    static final RelationshipType TRAINED_BY = RelationshipType.withName("TRAINED_BY");
    static final RelationshipType READ_BY = RelationshipType.withName("READ_BY");
    static final RelationshipType MADE = RelationshipType.withName("MADE");

    private final JobKey key;

    JobStore(JobKey key) {
        this.key = key;
    }

    Node create(Transaction tx, UUID database, String id, JobRequest request, long now) {
        var node = tx.createNode(JOB);
        node.setProperty("id", id);
        node.setProperty("owner", request.owner());
        node.setProperty("status", JobStatus.PENDING.name());
        node.setProperty("pipeline", request.pipeline());
        node.setProperty("frozen", request.frozen());
        node.setProperty("modelName", request.modelName());
        set(node, "graphName", request.graphName());
        set(node, "graphCreatedAt", request.creationTime() == null ? null : request.creationTime().toString());
        node.setProperty("configuration", request.configuration());
        set(node, "schedule", request.schedule());
        node.setProperty("progress", 0.0);
        node.setProperty("attempt", 0L);
        node.setProperty("submittedAt", now);
        node.setProperty("seal", key.seal(sealed(database, node)));
        return node;
    }

    /**
     * What a job reads, for people: projections themselves live in memory, and are gone when somebody asks where a model came
     * from. One node a projection, however many jobs read it; where the worker projects, the name it gives its graph.
     */
    Node projection(Transaction tx, String jobId, JobRequest request) {
        var made = request.creationTime() == null ? null : request.creationTime().toString();
        var name = request.graphName() == null ? "gnn_job_" + jobId : request.graphName();
        NameLock.acquire(tx, "projection " + request.owner().length() + " " + request.owner() + name);
        try (var found = tx.findNodes(PROJECTION, "owner", request.owner())) {
            var known = found.stream().filter(node -> name.equals(text(node, "name")) && Objects.equals(made, text(node, "createdAt")))
                .findFirst();
            return known.orElseGet(() -> {
                var node = tx.createNode(PROJECTION);
                node.setProperty("owner", request.owner());
                node.setProperty("name", name);
                set(node, "createdAt", made);
                return node;
            });
        }
    }

    /** All that decides what a worker does, and for whom. */
    private static List<String> sealed(UUID database, Node node) {
        return Arrays.asList("job", database.toString(), text(node, "id"), text(node, "owner"), text(node, "pipeline"),
            text(node, "frozen"), text(node, "modelName"), text(node, "graphName"), text(node, "graphCreatedAt"),
            text(node, "configuration"), text(node, "schedule"), String.valueOf(number(node, "submittedAt")));
    }

    /** Whether this server made the node in this database and nobody changed what it stands for. */
    boolean isSealed(UUID database, Node node) {
        return key.holds(text(node, "seal"), sealed(database, node));
    }

    /**
     * The job of an id. Where somebody copied or forged the node, the one that this server made; of copies the one that is
     * not over.
     */
    Optional<Node> find(Transaction tx, UUID database, String id) {
        try (var found = tx.findNodes(JOB, "id", id)) {
            return found.stream().max(Comparator.comparing((Node node) -> isSealed(database, node))
                .thenComparing(node -> status(node) != null && !status(node).isOver()).thenComparing(Node::getElementId));
        }
    }

    /** The jobs in a status, those submitted first in front. */
    List<Node> in(Transaction tx, JobStatus status) {
        try (var found = tx.findNodes(JOB, "status", status.name())) {
            return sorted(found.stream().toList());
        }
    }

    List<Node> of(Transaction tx, String owner) {
        try (var found = tx.findNodes(JOB, "owner", owner)) {
            return sorted(found.stream().toList());
        }
    }

    /** The jobs that train under a name. */
    List<Node> named(Transaction tx, String modelName) {
        try (var found = tx.findNodes(JOB, "modelName", modelName)) {
            return found.stream().toList();
        }
    }

    private static List<Node> sorted(List<Node> nodes) {
        var sorted = new ArrayList<>(nodes);
        sorted.sort(Comparator.comparingLong((Node node) -> submittedAt(node)).thenComparing(node -> String.valueOf(text(node, "id"))));
        return sorted;
    }

    static long submittedAt(Node node) {
        var at = number(node, "submittedAt");
        return at == null ? Long.MAX_VALUE : at;
    }

    /** Locks a node until the transaction ends; false when it is gone. What is read afterwards is the newest. */
    static boolean lock(Transaction tx, Node node) {
        try {
            tx.acquireWriteLock(node);
            return node.hasLabel(JOB);
        } catch (NotFoundException gone) {
            return false;
        }
    }

    /** One step of the status machine, on a locked node. */
    static void step(Node node, JobStatus next, long now) {
        var status = status(node);
        if (status == null) {
            throw new IllegalStateException("The status of this job was changed by hand and is none any more.");
        }
        node.setProperty("status", status.to(next).name());
        if (next.isOver()) {
            node.setProperty("finishedAt", now);
            node.removeProperty("timeLeftMillis");
            node.removeProperty("tokenHash");
            node.removeProperty("leaseUntil");
        }
    }

    /** Whether the worker of a job was silent for longer than its lease. */
    static boolean isExpired(Node node, long now) {
        var until = number(node, "leaseUntil");
        return until == null || until < now;
    }

    /** Ends a locked job that nobody works on and nobody will. */
    static void settle(Transaction tx, Node node, long now) {
        var status = status(node);
        var attempt = number(node, "attempt");
        if (status == JobStatus.CANCELING && isExpired(node, now)) {
            end(tx, node, JobStatus.CANCELED, "Cancelled; its worker had vanished.", now);
        } else if ((status == JobStatus.RUNNING && isExpired(node, now) || status == JobStatus.PENDING)
            && attempt != null && attempt >= ATTEMPTS) {
            end(tx, node, JobStatus.FAILED, "It was begun " + attempt + " times and never came to its end, the last time by worker '"
                + text(node, "worker") + "'. Look at the log of `gnn4j worker` and at gnn.job.log, then train again.", now);
        }
    }

    /** The last step of a locked job, with the reason for people. */
    static void end(Transaction tx, Node node, JobStatus status, String message, long now) {
        step(node, status, now);
        node.setProperty("message", message);
        JobLog.add(tx, node, now, status == JobStatus.FAILED ? "ERROR" : "INFO", message);
    }

    static JobStatus status(Node node) {
        return JobStatus.of(node.getProperty("status", null));
    }

    static String text(Node node, String property) {
        return node.getProperty(property, null) instanceof String text ? text : null;
    }

    static Long number(Node node, String property) {
        return node.getProperty(property, null) instanceof Number number ? number.longValue() : null;
    }

    static void set(Node node, String property, Object value) {
        if (value != null) {
            node.setProperty(property, value);
        }
    }

    static ZonedDateTime creationTime(Node node) {
        try {
            return text(node, "graphCreatedAt") == null ? null : ZonedDateTime.parse(text(node, "graphCreatedAt"));
        } catch (DateTimeParseException edited) {
            return null;
        }
    }

    static JobInfo info(Node node, String message) {
        var attempt = number(node, "attempt");
        return new JobInfo(text(node, "id"), text(node, "owner"), status(node), text(node, "pipeline"), text(node, "modelName"),
            text(node, "graphName"), node.getProperty("progress", null) instanceof Number part ? part.doubleValue() : 0.0,
            number(node, "epoch"), map(node, "metrics"), text(node, "device"), text(node, "worker"), attempt == null ? 0 : attempt,
            number(node, "submittedAt"), number(node, "startedAt"), number(node, "finishedAt"), number(node, "timeLeftMillis"), message,
            map(node, "configuration"), map(node, "modelInfo"), map(node, "modelSelectionStats"));
    }

    private static Map<String, Object> map(Node node, String property) {
        try {
            return ConfigJson.readMap(property, text(node, property));
        } catch (InvalidConfiguration edited) {
            return Map.of();
        }
    }
}
