// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.task;

import java.util.List;

/**
 * One way a user touches an item.
 *
 * @param name the key in {@code via}; the relationship type itself where there is no path
 * @param weight finite and above 0; of several behaviours between the same pair the largest counts
 * @param incoming false: the path runs from the user to the item; true: from the item to the user
 * @param path the relationship types in the order of the path, at least one
 */
public record Behaviour(String name, double weight, boolean incoming, List<String> path) {
    public Behaviour {
        path = List.copyOf(path);
    }

    /** The types in the order in which they are walked from the user's end (or, if not, from the item's end). */
    public List<String> pathFrom(boolean user) {
        return user == incoming ? path.reversed() : path;
    }
}
