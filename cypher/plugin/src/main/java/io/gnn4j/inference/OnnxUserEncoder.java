// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.util.Arrays;
import java.util.Map;

/** {@link UserEncoder} by an ONNX model; the model is closed by whoever opened it. */
public final class OnnxUserEncoder extends OnnxNetwork implements UserEncoder {
    public OnnxUserEncoder(OnnxModel model, int dimension) {
        super(model, dimension);
    }

    @Override
    public int maxRows() {
        return MAX_FLOATS / dimension;
    }

    @Override
    public float[] encode(int users, int history, float[] context, float[] weight, float[] degree) {
        if (users < 1 || history < 1 || (long) users * history > maxRows()) {
            throw new IllegalArgumentException(users + " users with " + history + " rows each do not fit one call of at most "
                + maxRows() + " rows.");
        }
        if (degree.length != users || weight.length != users * history || context.length != weight.length * dimension) {
            throw new IllegalArgumentException("Expected " + users + " degrees, " + users * history + " weights and "
                + users * history + " context rows of " + dimension + ", but got " + degree.length + ", " + weight.length
                + " and " + context.length + " values.");
        }
        var query = model.run(Map.of(
            "context", tensor(context, users, history, dimension),
            "weight", tensor(weight, users, history),
            "degree", tensor(degree, users))).get("query");
        if (!Arrays.equals(query.shape(), new long[] {users, dimension})) {
            throw new IllegalStateException("The model gave a query of shape " + Arrays.toString(query.shape()) + " where ["
                + users + ", " + dimension + "] was expected.");
        }
        var values = query.floats();
        for (int user = 0; user < users; user++) {
            var start = user * dimension;
            if (degree[user] == 0) {
                Arrays.fill(values, start, start + dimension, 0f); // 0^-p is no number, whatever the model makes of it
            }
            for (int d = start; d < start + dimension; d++) {
                if (!Float.isFinite(values[d])) {
                    throw new IllegalStateException("The model gave a vector with the value " + values[d] + ".");
                }
            }
        }
        return values;
    }
}
