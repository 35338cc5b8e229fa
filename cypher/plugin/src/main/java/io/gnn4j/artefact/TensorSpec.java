// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.util.List;
import java.util.stream.Collectors;

/**
 * One input or output of a model.
 *
 * @param dtype {@code float32}, {@code int64} or {@code bool}
 * @param shape one number a dimension; -1 is free
 */
public record TensorSpec(String name, String dtype, List<Long> shape) {
    public TensorSpec {
        shape = List.copyOf(shape);
    }

    @Override
    public String toString() {
        return name + " " + dtype
            + shape.stream().map(size -> size < 0 ? "?" : size.toString()).collect(Collectors.joining(", ", "(", ")"));
    }
}
