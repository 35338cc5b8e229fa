// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

/**
 * One column.
 *
 * @param width 0 for scalars, the length of a fixed-size list, or {@link #VARIABLE} for lists of differing length
 */
public record ArrowField(String name, Element element, int width, boolean nullable) {
    public static final int VARIABLE = -1;

    public static ArrowField scalar(String name, Element element) {
        return new ArrowField(name, element, 0, false);
    }

    public boolean isList() {
        return width != 0;
    }

    public boolean isFixedSizeList() {
        return width > 0;
    }

    /** As messages name it: {@code int64}, {@code list<int64>}, {@code fixed_size_list<float32>[64]}. */
    public String typeName() {
        return switch (width) {
            case 0 -> element.toString();
            case VARIABLE -> "list<" + element + ">";
            default -> "fixed_size_list<" + element + ">[" + width + "]";
        };
    }
}
