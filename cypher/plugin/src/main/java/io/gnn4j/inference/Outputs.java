// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.TensorData;
import java.util.Arrays;

/** What a network gave, checked before anybody uses it. */
final class Outputs {
    private Outputs() {}

    /** @throws IllegalStateException unless the output is [rows, columns] and finite throughout */
    static float[] finite(String what, TensorData output, int rows, int columns) {
        if (!Arrays.equals(output.shape(), new long[] {rows, columns})) {
            throw new IllegalStateException("The model gave " + what + " of shape " + Arrays.toString(output.shape()) + " where [" + rows
                + ", " + columns + "] was expected.");
        }
        for (var value : output.floats()) {
            if (!Float.isFinite(value)) {
                throw new IllegalStateException("The model gave " + what + " with the value " + value + ".");
            }
        }
        return output.floats();
    }
}
