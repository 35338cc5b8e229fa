// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.eclipse.collections.impl.map.mutable.primitive.LongByteHashMap;

/** Decides in the caller's transaction which candidates come back. */
final class Acceptance {
    private final LiveStore store;
    private final String label;
    private final ItemFilter filter;
    private final Map<String, Integer> maxPer;
    private final LongByteHashMap known = new LongByteHashMap();

    /**
     * @param maxPer the most rows of a list with the same value, by property; an item counts for each entry of a list property,
     *     and one without a value is not limited
     */
    Acceptance(LiveStore store, String label, ItemFilter filter, Map<String, Integer> maxPer) {
        this.store = store;
        this.label = label;
        this.filter = filter;
        this.maxPer = maxPer;
    }

    List list() {
        return new List();
    }

    /** Whether an item is there, readable and as the filter wants it; a filter is asked once for all lists. */
    boolean passes(long id) {
        if (filter.isEmpty()) {
            return store.hasLabel(id, label);
        }
        var answer = known.getIfAbsent(id, (byte) -1);
        if (answer < 0) {
            answer = (byte) (store.hasLabel(id, label) && filter.holds(store, id) ? 1 : 0);
            known.put(id, answer);
        }
        return answer == 1;
    }

    /** One list in the making. */
    final class List {
        private final Map<String, Map<Object, Integer>> taken = new HashMap<>();

        /** Asks in the order of the list; one that is accepted counts. */
        boolean accept(long id) {
            if (!passes(id)) {
                return false;
            }
            var values = new HashMap<String, Set<Object>>();
            for (var limit : maxPer.entrySet()) {
                var counts = taken.computeIfAbsent(limit.getKey(), key -> new HashMap<>());
                var own = kinds(store.property(id, limit.getKey()));
                if (own.stream().anyMatch(value -> counts.getOrDefault(value, 0) >= limit.getValue())) {
                    return false;
                }
                values.put(limit.getKey(), own);
            }
            values.forEach((property, own) -> own.forEach(value -> taken.get(property).merge(value, 1, Integer::sum)));
            return true;
        }

        /** 1 and 1.0 are the same, as in a filter. */
        private static Set<Object> kinds(Object value) {
            return ItemFilter.entries(value).stream()
                .map(one -> Objects.requireNonNullElse(ItemFilter.key(one), one)).collect(Collectors.toSet());
        }
    }
}
