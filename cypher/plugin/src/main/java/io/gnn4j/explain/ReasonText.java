// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import io.gnn4j.config.Suggestion;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.StringJoiner;
import java.util.function.BiFunction;

/**
 * A sentence with places for properties of the nodes of a path: {@code Because you bought {via.title}}.
 *
 * <p>Places are {@code {node.property}}; {@code {{} and {@code }}} stand for the braces themselves. The nodes are
 * {@code source}, {@code via} (what the source touched), {@code shared} (the last node between that and the target: a
 * category, another user) and {@code target}.
 */
public final class ReasonText {
    /** The names a place may begin with. */
    public static final List<String> NODES = List.of("source", "via", "shared", "target");

    private sealed interface Piece {}

    private record Words(String text) implements Piece {}

    private record Place(String node, String property) implements Piece {}

    private final List<Piece> pieces;

    private ReasonText(List<Piece> pieces) {
        this.pieces = List.copyOf(pieces);
    }

    /** @throws IllegalArgumentException naming the first place that is none */
    public static ReasonText parse(String template) {
        var pieces = new ArrayList<Piece>();
        var words = new StringBuilder();
        for (int at = 0; at < template.length(); at++) {
            var sign = template.charAt(at);
            if (sign != '{' && sign != '}') {
                words.append(sign);
            } else if (at + 1 < template.length() && template.charAt(at + 1) == sign) {
                words.append(sign);
                at++;
            } else if (sign == '}') {
                throw new IllegalArgumentException("the brace at position " + (at + 1) + " closes nothing; write }} for the sign"
                    + " itself.");
            } else {
                var end = template.indexOf('}', at);
                if (end < 0) {
                    throw new IllegalArgumentException("the brace at position " + (at + 1) + " is not closed; write {{ for the sign"
                        + " itself.");
                }
                pieces.add(new Words(words.toString()));
                words.setLength(0);
                pieces.add(place(template.substring(at + 1, end)));
                at = end;
            }
        }
        pieces.add(new Words(words.toString()));
        return new ReasonText(pieces);
    }

    private static Place place(String text) {
        var dot = text.indexOf('.');
        var node = dot < 0 ? text : text.substring(0, dot);
        if (!NODES.contains(node)) {
            throw new IllegalArgumentException("the placeholder {" + text + "} begins with no node of the path."
                + Suggestion.sentence(node, NODES) + " Known: " + String.join(", ", NODES) + ", each with a property, as {via.title}.");
        }
        if (dot < 0 || dot == text.length() - 1) {
            throw new IllegalArgumentException("the placeholder {" + text + "} names no property; write for example {" + node
                + ".title}.");
        }
        return new Place(node, text.substring(dot + 1));
    }

    /** Throws for a place whose property no node can have. @param known of all nodes there are */
    public void requireKnown(Set<String> known) {
        for (var piece : pieces) {
            if (piece instanceof Place place && !known.contains(place.property())) {
                throw new IllegalArgumentException("`template` has the placeholder {" + place.node() + "." + place.property()
                    + "}, but nothing in this database has such a property." + Suggestion.sentence(place.property(), known)
                    + " Name one of the nodes of the path.");
            }
        }
    }

    /**
     * @param values the property of a node by its name here, null where either is missing
     * @return the sentence; null when one of its places would stay empty
     */
    public String fill(BiFunction<String, String, Object> values) {
        var text = new StringBuilder();
        for (var piece : pieces) {
            switch (piece) {
                case Words words -> text.append(words.text());
                case Place place -> {
                    var value = values.apply(place.node(), place.property());
                    if (value == null) {
                        return null;
                    }
                    text.append(shown(value));
                }
            }
        }
        return text.toString();
    }

    private static String shown(Object value) {
        if (!value.getClass().isArray()) {
            return value.toString();
        }
        var entries = new StringJoiner(", ");
        for (int i = 0; i < Array.getLength(value); i++) {
            entries.add(String.valueOf(Array.get(value, i)));
        }
        return entries.toString();
    }
}
