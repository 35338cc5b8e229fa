// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * What all caches of the server may take together. The least recently used goes first; what a call holds never goes; what
 * does not fit even then is refused with the number to set.
 */
public final class MemoryBudget {
    private final LongSupplier maximum;
    private final Set<Share> shares = new LinkedHashSet<>();
    private long clock;

    /** @param maximum bytes, asked each time */
    public MemoryBudget(LongSupplier maximum) {
        this.maximum = maximum;
    }

    /**
     * One line of what is cached.
     *
     * @param kind what it is, as {@code vectors}
     * @param name what it is made from
     * @param user whose it is; null when it serves everybody
     * @param holders calls that use it now
     */
    public record Use(String kind, String name, String database, String user, long bytes, int holders) {}

    /** A reserved part of the budget. */
    public final class Share {
        private final String kind;
        private final String name;
        private final String database;
        private final String user;
        private final Runnable evict;
        private long bytes;
        private int holders;
        private long used;
        private boolean gone;

        private Share(String kind, String name, String database, String user, long bytes, Runnable evict) {
            this.kind = kind;
            this.name = name;
            this.database = database;
            this.user = user;
            this.bytes = bytes;
            this.evict = evict;
        }

        /** Keeps it from being evicted until {@link #release()}. @return false when it is gone already */
        public boolean hold() {
            synchronized (MemoryBudget.this) {
                if (!gone) {
                    holders++;
                    used = ++clock;
                }
                return !gone;
            }
        }

        public void release() {
            synchronized (MemoryBudget.this) {
                holders--;
                if (gone || total() <= maximum.getAsLong()) {
                    return;
                }
            }
            shrink();
        }

        /** Tells what it really takes. It may exceed the budget, since a commit cannot be refused; then others go. */
        public void resize(long newBytes) {
            synchronized (MemoryBudget.this) {
                bytes = newBytes;
            }
            shrink();
        }

        /** Gives it back; the cache has dropped it. */
        public void close() {
            synchronized (MemoryBudget.this) {
                gone = true;
                shares.remove(this);
            }
        }
    }

    /**
     * @param evict drops what was made; called when others need the room, never while it is held, and it must not wait
     * @return a share that is held once by the caller
     * @throws MemoryRefused when it does not fit beside what is in use
     */
    public Share reserve(String kind, String name, String database, String user, long bytes, Runnable evict) {
        var evicted = new ArrayList<Share>();
        try {
            synchronized (this) {
                var room = maximum.getAsLong() - bytes;
                var inUse = shares.stream().filter(share -> share.holders > 0).mapToLong(share -> share.bytes).sum();
                if (inUse > room) {
                    throw new MemoryRefused(kind + " '" + name + "' need " + megabytes(bytes) + ", but server.gnn.memory.max is "
                        + megabytes(maximum.getAsLong()) + (inUse > 0 ? ", of which " + megabytes(inUse) + " are in use" : "")
                        + ". Set server.gnn.memory.max to at least " + (bytes + inUse + (1 << 20) - 1 >> 20) + "m in neo4j.conf"
                        + " (and the heap, server.memory.heap.max_size, to four times that).");
                }
                evictUntil(room, evicted);
                var share = new Share(kind, name, database, user, bytes, evict);
                share.holders = 1;
                share.used = ++clock;
                shares.add(share);
                return share;
            }
        } finally {
            evicted.forEach(share -> share.evict.run());
        }
    }

    public synchronized List<Use> uses() {
        return shares.stream()
            .map(share -> new Use(share.kind, share.name, share.database, share.user, share.bytes, share.holders)).toList();
    }

    public synchronized long total() {
        return shares.stream().mapToLong(share -> share.bytes).sum();
    }

    public long maximum() {
        return maximum.getAsLong();
    }

    private void shrink() {
        var evicted = new ArrayList<Share>();
        synchronized (this) {
            evictUntil(maximum.getAsLong(), evicted);
        }
        evicted.forEach(share -> share.evict.run());
    }

    private void evictUntil(long room, List<Share> evicted) {
        var oldestFirst = shares.stream().filter(share -> share.holders == 0)
            .sorted(Comparator.comparingLong(share -> share.used)).toList();
        var taken = total();
        for (var share : oldestFirst) {
            if (taken <= room) {
                break;
            }
            taken -= share.bytes;
            share.gone = true;
            shares.remove(share);
            evicted.add(share);
        }
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f MB", bytes / 1048576.0);
    }
}
