// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.job.WorkerInfo;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** The nodes that tell which workers were heard of lately; for people to look at, nothing depends on them. */
final class WorkerStore {
    static final Label WORKER = Label.label("GnnWorker");
    /** A worker that was not heard of for a day is forgotten. */
    private static final long FORGET_MILLIS = 86_400_000;

    private final long leaseMillis;

    WorkerStore(long leaseMillis) {
        this.leaseMillis = leaseMillis;
    }

    /** Notes that a worker is there, and what it works on; idle workers are written now and then only. */
    void seen(Transaction tx, String owner, String name, String device, String jobId, long now) {
        var node = find(tx, owner, name);
        if (node == null) {
            NameLock.acquire(tx, "worker " + owner.length() + " " + owner + name);
            node = find(tx, owner, name);
        }
        if (node == null) {
            forget(tx, now);
            node = tx.createNode(WORKER);
            node.setProperty("owner", owner);
            node.setProperty("name", name);
        } else if (now - lastSeen(node) < leaseMillis / 6 && same(JobStore.text(node, "jobId"), jobId)
            && (device == null || device.equals(JobStore.text(node, "device")))) {
            return;
        }
        JobStore.set(node, "device", device);
        node.setProperty("lastSeen", now);
        if (jobId == null) {
            node.removeProperty("jobId");
        } else {
            node.setProperty("jobId", jobId);
        }
    }

    private static boolean same(String left, String right) {
        return left == null ? right == null : left.equals(right);
    }

    private void forget(Transaction tx, long now) {
        for (var node : all(tx)) {
            if (now - lastSeen(node) > FORGET_MILLIS && !node.hasRelationship()) {
                node.delete();
            }
        }
    }

    private static Node find(Transaction tx, String owner, String name) {
        return all(tx).stream().filter(node -> owner.equals(JobStore.text(node, "owner")) && name.equals(JobStore.text(node, "name")))
            .findFirst().orElse(null);
    }

    private static List<Node> all(Transaction tx) {
        try (var found = tx.findNodes(WORKER)) {
            return found.stream().toList();
        }
    }

    private static long lastSeen(Node node) {
        var at = JobStore.number(node, "lastSeen");
        return at == null ? 0 : at;
    }

    /** Whether some worker was heard of within the time of a lease. */
    boolean anyAlive(Transaction tx, long now) {
        return all(tx).stream().anyMatch(node -> now - lastSeen(node) <= leaseMillis);
    }

    /** @param own the jobs that may be told */
    List<WorkerInfo> list(Transaction tx, Set<String> own) {
        return all(tx).stream().filter(node -> JobStore.text(node, "name") != null).map(node -> {
            var job = JobStore.text(node, "jobId");
            return new WorkerInfo(JobStore.text(node, "name"), JobStore.text(node, "device"), lastSeen(node),
                job != null && own.contains(job) ? job : null);
        }).sorted(Comparator.comparing(WorkerInfo::worker).thenComparingLong(WorkerInfo::lastSeen)).toList();
    }
}
