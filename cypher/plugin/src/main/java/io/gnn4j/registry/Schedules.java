// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.pipeline.TrainConfig;
import io.gnn4j.registry.Jobs.Place;
import io.gnn4j.task.Durations;
import io.gnn4j.task.Task;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Predicate;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/**
 * Trainings that come again, by the clock or after new events: nodes, sealed as jobs are. A schedule has at most one open
 * job, and times that passed meanwhile collapse into one.
 */
final class Schedules {
    static final Label SCHEDULE = Label.label("GnnSchedule");

    private final JobKey key;

    Schedules(JobKey key) {
        this.key = key;
    }

    static String name(JobRequest request) {
        return request.pipeline() + "/" + request.modelName();
    }

    /** Makes a schedule, or puts this one in the place of an earlier one of the same pipeline and model. */
    void put(Transaction tx, Place place, JobRequest request, TrainConfig config, String firstJob, long now) {
        var name = name(request);
        NameLock.acquire(tx, "schedule " + request.owner().length() + " " + request.owner() + name);
        var node = all(tx).stream().filter(found -> request.owner().equals(JobStore.text(found, "owner"))
            && name.equals(JobStore.text(found, "name"))).findFirst().orElseGet(() -> tx.createNode(SCHEDULE));
        node.removeProperty("every");
        node.removeProperty("afterEvents");
        node.setProperty("owner", request.owner());
        node.setProperty("name", name);
        node.setProperty("pipeline", request.pipeline());
        node.setProperty("modelName", request.modelName());
        node.setProperty("frozen", request.frozen());
        node.setProperty("configuration", request.configuration());
        JobStore.set(node, "every", config.every());
        JobStore.set(node, "afterEvents", config.afterEvents());
        node.setProperty("lastRun", now);
        node.setProperty("eventsAtLastRun", events(tx, request.frozen()));
        node.setProperty("openJob", firstJob);
        node.setProperty("seal", key.seal(sealed(place.id(), node)));
    }

    private static List<String> sealed(UUID database, Node node) {
        return Arrays.asList("schedule", database.toString(), JobStore.text(node, "owner"), JobStore.text(node, "name"),
            JobStore.text(node, "pipeline"), JobStore.text(node, "modelName"), JobStore.text(node, "frozen"),
            JobStore.text(node, "configuration"), JobStore.text(node, "every"), String.valueOf(JobStore.number(node, "afterEvents")));
    }

    /** Ends the schedules of a pipeline that is dropped. */
    void end(Transaction tx, String owner, String pipeline) {
        for (var node : all(tx)) {
            if (owner.equals(JobStore.text(node, "owner")) && pipeline.equals(JobStore.text(node, "pipeline"))) {
                remove(tx, node);
            }
        }
    }

    /** The schedule of a user by its name. */
    Optional<Node> find(Transaction tx, String owner, String name) {
        return all(tx).stream().filter(node -> owner.equals(JobStore.text(node, "owner")) && JobStore.text(node, "name") != null
            && JobStore.text(node, "name").equals(name)).findFirst();
    }

    List<Node> of(Transaction tx, String owner) {
        return all(tx).stream().filter(node -> owner.equals(JobStore.text(node, "owner")) && JobStore.text(node, "name") != null).toList();
    }

    /** Ends one; false when somebody else was faster. */
    static boolean remove(Transaction tx, Node node) {
        if (!lock(tx, node)) {
            return false;
        }
        node.getRelationships().forEach(Relationship::delete);
        node.delete();
        return true;
    }

    /**
     * @param isOpen whether the job of an id is not over yet
     * @param hint what to add to the message, or the empty text
     */
    ScheduleInfo info(Transaction tx, Place place, Node node, long now, Predicate<String> isOpen, String hint) {
        var name = JobStore.text(node, "name");
        var ends = " CALL gnn.job.cancel('" + name + "') ends it.";
        var last = JobStore.number(node, "lastRun");
        if (last == null || !isSealed(place, node)) {
            return new ScheduleInfo(name, JobStore.text(node, "pipeline"), JobStore.text(node, "modelName"), 0, null,
                "This schedule was changed by hand and makes no job any more." + ends + " Then train again.", configuration(node));
        }
        var open = JobStore.text(node, "openJob");
        var busy = open != null && isOpen.test(open) ? ", and when job '" + open + "' is over" : "";
        var every = JobStore.text(node, "every");
        var after = JobStore.number(node, "afterEvents");
        Long left = null;
        double progress;
        String message;
        if (every != null) {
            var millis = Durations.millis(every);
            left = Math.max(0, last + millis - now);
            progress = 1 - (double) left / millis;
            message = "Trains again at " + Instant.ofEpochMilli(last + millis) + busy + " (every " + every + ").";
        } else {
            var before = JobStore.number(node, "eventsAtLastRun");
            var there = before == null ? 0 : Math.max(0, events(tx, JobStore.text(node, "frozen")) - before);
            progress = (double) there / after;
            message = "Trains again after " + after + " new events, " + there + " of which are there" + busy + ".";
        }
        return new ScheduleInfo(name, JobStore.text(node, "pipeline"), JobStore.text(node, "modelName"),
            Math.min(1, Math.max(0, progress)), left, message + hint + ends, configuration(node));
    }

    private static Map<String, Object> configuration(Node node) {
        try {
            return ConfigJson.readMap("configuration", JobStore.text(node, "configuration"));
        } catch (InvalidConfiguration edited) {
            return Map.of();
        }
    }

    /**
     * Turns what is due into jobs.
     *
     * @param isOpen whether the job of an id is not over yet
     * @param submit makes a job and returns its id
     */
    void run(Transaction tx, Place place, long now, Predicate<String> isOpen, Function<JobRequest, String> submit) {
        for (var node : all(tx)) {
            if (!isSealed(place, node) || due(tx, node, now, isOpen).isEmpty() || !lock(tx, node)) {
                continue;
            }
            var step = due(tx, node, now, isOpen); // another lease may have been faster
            if (step.isEmpty() || !isSealed(place, node)) {
                continue;
            }
            var request = new JobRequest(JobStore.text(node, "owner"), JobStore.text(node, "pipeline"), JobStore.text(node, "frozen"),
                JobStore.text(node, "modelName"), null, null, JobStore.text(node, "configuration"), JobStore.text(node, "name"));
            node.setProperty("openJob", submit.apply(request));
            node.setProperty("lastRun", step.get());
            node.setProperty("eventsAtLastRun", events(tx, request.frozen()));
        }
    }

    private boolean isSealed(Place place, Node node) {
        return key.holds(JobStore.text(node, "seal"), sealed(place.id(), node));
    }

    private static boolean lock(Transaction tx, Node node) {
        try {
            tx.acquireWriteLock(node);
            return node.hasLabel(SCHEDULE);
        } catch (NotFoundException gone) {
            return false;
        }
    }

    /** The time this run counts for; empty where it is not due. */
    private Optional<Long> due(Transaction tx, Node node, long now, Predicate<String> isOpen) {
        var last = JobStore.number(node, "lastRun");
        var open = JobStore.text(node, "openJob");
        if (last == null || open != null && isOpen.test(open)) {
            return Optional.empty();
        }
        var every = JobStore.text(node, "every");
        if (every != null) {
            var millis = Durations.millis(every);
            // The rhythm stays: what was missed counts as one run, and the next is not put off by how late this one is.
            return now - last < millis ? Optional.empty() : Optional.of(last + (now - last) / millis * millis);
        }
        var after = JobStore.number(node, "afterEvents");
        var before = JobStore.number(node, "eventsAtLastRun");
        return after != null && before != null && events(tx, JobStore.text(node, "frozen")) - before >= after
            ? Optional.of(now) : Optional.empty();
    }

    /** Relationships of the task's behaviours, by the store's own count; of a path its last step is the event. */
    private static long events(Transaction tx, String frozen) {
        if (!(ConfigJson.readMap("frozen", frozen).get("task") instanceof Map<?, ?> raw)) {
            return 0;
        }
        @SuppressWarnings("unchecked")
        var task = Task.of((Map<String, Object>) raw);
        var kernel = ((InternalTransaction) tx).kernelTransaction();
        return task.via().values().stream().map(behaviour -> behaviour.path().getLast()).distinct().mapToLong(type -> {
            var token = kernel.tokenRead().relationshipType(type);
            return token < 0 ? 0 : kernel.dataRead().estimateCountsForRelationships(-1, token, -1);
        }).sum();
    }

    private static List<Node> all(Transaction tx) {
        try (var found = tx.findNodes(SCHEDULE)) {
            return found.stream().sorted(Comparator.comparing((Node node) -> String.valueOf(JobStore.text(node, "owner")))
                .thenComparing(node -> String.valueOf(JobStore.text(node, "name")))).toList();
        }
    }
}
