// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.List;
import java.util.function.LongConsumer;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.factory.primitive.LongSets;

/** What is asked of the graph while a call is answered: the state the caller's transaction sees. */
public interface LiveStore {
    /** Whether the node is there and the caller may see it. */
    boolean exists(long id);

    boolean hasLabel(long id, String label);

    /** How many nodes have a label. */
    long count(String label);

    /** A property in Java's types (long, double, boolean, String, arrays, java.time), or null. */
    Object property(long id, String name);

    /** The nodes at the other ends of a type. @param direction {@code out}, {@code in} or {@code any} */
    LongSet related(long id, String type, String direction);

    /** The items a source does not want to see again. */
    default LongSet dismissed(long source) {
        return LongSets.immutable.empty();
    }

    /** The nodes that got this label in the caller's own uncommitted changes. */
    void nodesAddedHere(String label, LongConsumer consumer);

    /**
     * Whom a node interacted with.
     *
     * @param user true: from the user's end of the behaviours; false: from the item's end
     * @param otherLabel neighbours without it do not count
     * @param timeProperty null: times are not read
     * @param maxDegree relationships read at most
     * @throws IllegalArgumentException when a time is no INTEGER
     */
    Interactions interactions(
        long id, boolean user, List<Behaviour> behaviours, String otherLabel, String timeProperty, int maxDegree);

    /** The items of a user; times are read only where they decide which of more than {@code limit} are the newest. */
    default Interactions newestInteractions(Task task, long user, int limit, int maxDegree) {
        var via = List.copyOf(task.via().values());
        var found = interactions(user, true, via, task.recommend(), null, maxDegree);
        return found.degree() <= limit || task.timeProperty() == null
            ? found
            : interactions(user, true, via, task.recommend(), task.timeProperty(), maxDegree);
    }
}
