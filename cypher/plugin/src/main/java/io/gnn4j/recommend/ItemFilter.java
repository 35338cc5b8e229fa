// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.config.ConfigMap;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.eclipse.collections.api.set.primitive.LongSet;

/**
 * What an item must be like to come back: all conditions hold.
 *
 * <p>{@code {price: {gte: 10, lt: 50}, brand: ['A', 'B'], inStock: true, label: 'Book', related: {type, direction, node}}}.
 * A condition on a property that the item lacks never holds, nor does one between values that cannot be compared; of a
 * list property one entry must satisfy it.
 */
public final class ItemFilter {
    private static final List<String> OPERATORS = List.of("eq", "ne", "in", "gt", "gte", "lt", "lte");
    private static final List<String> DIRECTIONS = List.of("any", "out", "in");

    private final List<Condition> conditions;

    private ItemFilter(List<Condition> conditions) {
        this.conditions = List.copyOf(conditions);
    }

    private interface Condition {
        boolean holds(LiveStore store, long item);
    }

    /** @param nodeId the id of a node value; throws IllegalArgumentException for anything else */
    public static ItemFilter read(ConfigMap map, ToLongFunction<Object> nodeId) {
        var conditions = new ArrayList<Condition>();
        for (var name : map.keys()) {
            var value = map.getAny(name).orElse(null);
            if (value == null) {
                map.fault("`" + map.path(name) + "` is null, which no item equals; leave it out or give a value.");
            } else if (name.equals("label") && !(value instanceof Map)) {
                var labels = map.getStrings(name, List.of());
                conditions.add((store, item) -> labels.stream().anyMatch(label -> store.hasLabel(item, label)));
            } else if (name.equals("related") && value instanceof Map) {
                related(map.getMap(name), nodeId, conditions);
            } else if (value instanceof Map) {
                operators(map.getMap(name), name, conditions);
            } else {
                var wanted = values(map, name, value);
                conditions.add(property(name, oneOf(wanted)));
            }
        }
        return new ItemFilter(conditions);
    }

    public boolean isEmpty() {
        return conditions.isEmpty();
    }

    public boolean holds(LiveStore store, long item) {
        for (var condition : conditions) {
            if (!condition.holds(store, item)) {
                return false;
            }
        }
        return true;
    }

    private static void related(ConfigMap map, ToLongFunction<Object> nodeId, List<Condition> conditions) {
        var type = map.getString("type", null);
        var direction = map.getChoice("direction", "any", DIRECTIONS);
        var node = map.parse("node", nodeId::applyAsLong);
        if (!map.has("type") || !map.has("node")) {
            map.fault("`" + map.name() + "` needs `type` and `node`.");
            return;
        }
        // Seen from the node, an item's outgoing relationship comes in.
        var from = direction.equals("any") ? direction : direction.equals("out") ? "in" : "out";
        conditions.add(new Condition() {
            private LongSet items;

            @Override
            public boolean holds(LiveStore store, long item) {
                if (items == null) {
                    items = store.related(node.orElseThrow(), type, from);
                }
                return items.contains(item);
            }
        });
    }

    private static void operators(ConfigMap map, String property, List<Condition> conditions) {
        if (map.keys().isEmpty()) {
            map.fault("`" + map.name() + "` is empty; use one of " + String.join(", ", OPERATORS) + ".");
        }
        for (var operator : OPERATORS) {
            var value = map.getAny(operator).orElse(null);
            if (value == null) {
                if (map.keys().contains(operator)) {
                    map.fault("`" + map.path(operator) + "` is null, which compares with nothing; leave it out.");
                }
                continue;
            }
            if (value instanceof List != operator.equals("in")) {
                map.fault("`" + map.path(operator) + "` must be " + (operator.equals("in") ? "a LIST" : "one value") + ", but is "
                    + ConfigMap.describe(value) + ".");
                continue;
            }
            var wanted = values(map, operator, value);
            conditions.add(switch (operator) {
                case "eq", "in" -> property(property, oneOf(wanted));
                case "ne" -> (store, item) -> {
                    var found = entries(store.property(item, property));
                    return !found.isEmpty() && found.stream().noneMatch(one -> equal(one, value));
                };
                case "gt" -> ordered(property, value, sign -> sign > 0);
                case "gte" -> ordered(property, value, sign -> sign >= 0);
                case "lt" -> ordered(property, value, sign -> sign < 0);
                default -> ordered(property, value, sign -> sign <= 0);
            });
        }
    }

    private static List<?> values(ConfigMap map, String key, Object value) {
        var values = value instanceof List<?> list ? list : List.of(value);
        for (var one : values) {
            if (!(one instanceof Number || one instanceof String || one instanceof Boolean || one instanceof Comparable)) {
                map.fault("`" + map.path(key) + "` holds " + ConfigMap.describe(one)
                    + ", but a filter compares with numbers, strings, booleans and points in time.");
                return List.of();
            }
        }
        return values;
    }

    /** Whether a value equals one of many, which may be millions: looked up where that means the same as comparing. */
    private static Predicate<Object> oneOf(List<?> wanted) {
        var known = new HashSet<Object>();
        var others = new ArrayList<Object>();
        for (var one : wanted) {
            var key = key(one);
            if (key == null) {
                others.add(one);
            } else {
                known.add(key);
            }
        }
        return found -> {
            var key = key(found);
            return key != null ? known.contains(key) : others.stream().anyMatch(one -> equal(found, one));
        };
    }

    /** Two values with equal keys compare as equal, and no others; null for a kind of value that has to be compared. */
    static Object key(Object value) {
        return switch (value) {
            case Character letter -> letter.toString();
            case String text -> text;
            case Boolean flag -> flag;
            case Number number when whole(number) -> number.longValue();
            case Number number -> {
                var real = number.doubleValue();
                var same = (long) real;
                // 2^63 as a double is no long, though the cast ends at the largest one.
                yield real == same && real < 0x1p63 ? same : Double.isNaN(real) ? new Object() : (Object) real;
            }
            default -> null;
        };
    }

    private static Condition property(String name, Predicate<Object> test) {
        return (store, item) -> entries(store.property(item, name)).stream().anyMatch(test);
    }

    private static Condition ordered(String name, Object bound, IntPredicate test) {
        return property(name, found -> {
            var sign = compare(found, bound);
            return sign != null && test.test(sign);
        });
    }

    /** The entries of a list property, else the value alone; none of null. */
    static List<?> entries(Object value) {
        if (value == null) {
            return List.of();
        }
        if (!value.getClass().isArray()) {
            return List.of(value);
        }
        var entries = new ArrayList<>(Array.getLength(value));
        for (int i = 0; i < Array.getLength(value); i++) {
            entries.add(Array.get(value, i));
        }
        return entries;
    }

    private static boolean equal(Object left, Object right) {
        var sign = compare(left, right);
        return sign != null && sign == 0;
    }

    /** The sign of left - right, or null where the two cannot be compared. */
    @SuppressWarnings("unchecked") // both are of the same class
    static Integer compare(Object left, Object right) {
        if (left instanceof Number one && right instanceof Number other) {
            return compareNumbers(one, other);
        }
        if (left instanceof Character || right instanceof Character) {
            return compare(left instanceof Character ? left.toString() : left, right instanceof Character ? right.toString() : right);
        }
        if (left.getClass() == right.getClass() && left instanceof Comparable<?>) {
            return Integer.signum(((Comparable<Object>) left).compareTo(right));
        }
        return null;
    }

    /** By value, exactly: 2^53 + 1 differs from 2.0^53; NaN compares with nothing. */
    private static Integer compareNumbers(Number left, Number right) {
        if (whole(left) && whole(right)) {
            return Long.compare(left.longValue(), right.longValue());
        }
        var one = left.doubleValue();
        var other = right.doubleValue();
        if (Double.isNaN(one) || Double.isNaN(other)) {
            return null;
        }
        if (Double.isInfinite(one) || Double.isInfinite(other)) {
            return Double.compare(one, other);
        }
        return exact(left).compareTo(exact(right));
    }

    private static boolean whole(Number number) {
        return number instanceof Long || number instanceof Integer || number instanceof Short || number instanceof Byte;
    }

    private static BigDecimal exact(Number number) {
        return whole(number) ? BigDecimal.valueOf(number.longValue()) : new BigDecimal(number.doubleValue());
    }
}
