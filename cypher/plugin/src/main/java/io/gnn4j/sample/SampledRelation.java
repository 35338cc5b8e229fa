// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.graph.Relation;
import java.util.Comparator;
import java.util.List;

/**
 * Receivers draw among senders.
 *
 * @param incoming whether the relationships point at the senders, against the way the messages take
 * @param fanOut senders a receiver draws, for hop 1, 2, …
 */
public record SampledRelation(String sender, String type, String receiver, boolean incoming, List<Integer> fanOut) {
    /** The order of relations that nobody listed. */
    static final Comparator<SampledRelation> ORDER = Comparator.comparing(SampledRelation::type)
        .thenComparing(SampledRelation::sender).thenComparing(SampledRelation::receiver).thenComparing(SampledRelation::incoming);

    public SampledRelation {
        fanOut = List.copyOf(fanOut);
    }

    SampledRelation withFanOut(List<Integer> drawn) {
        return new SampledRelation(sender, type, receiver, incoming, drawn);
    }

    /** As the relationships stand in the graph. */
    public Relation stored() {
        return incoming ? new Relation(receiver, type, sender) : new Relation(sender, type, receiver);
    }

    public String direction() {
        return incoming ? "in" : "out";
    }

    /** Senders drawn to reach {@code hop}, from 1. */
    public int fanOut(int hop) {
        return fanOut.get(hop - 1);
    }

    @Override
    public String toString() {
        return incoming ? "(" + sender + ")<-[" + type + "]-(" + receiver + ")" : "(" + sender + ")-[" + type + "]->(" + receiver + ")";
    }
}
