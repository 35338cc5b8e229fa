// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import io.gnn4j.artefact.BlockSchema;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.List;

/** Features read from the store when they are asked for. For one thread. */
public final class LiveFeatures implements FeatureRows {
    private final List<TypeEncoder> types;
    private final PropertyReader properties;
    /** The two tensors of a type are asked for one after the other: what was read for the first serves the second. */
    private long[] read;
    private int readType = -1;
    private float[] x = {};
    private int[] codes = {};

    public LiveFeatures(BlockSchema schema, PropertyReader properties) {
        types = schema.types().stream().map(TypeEncoder::new).toList();
        this.properties = properties;
    }

    @Override
    public void x(int type, long[] nodeIds, int[] indices, FloatBuffer into) {
        read(type, nodeIds);
        into.put(x, 0, nodeIds.length * types.get(type).width());
    }

    @Override
    public void codes(int type, long[] nodeIds, int[] indices, LongBuffer into) {
        read(type, nodeIds);
        for (int i = 0; i < nodeIds.length * types.get(type).codes(); i++) {
            into.put(codes[i]);
        }
    }

    private void read(int type, long[] nodeIds) {
        if (read == nodeIds && readType == type) {
            return;
        }
        var encoder = types.get(type);
        read = null;
        if (x.length < nodeIds.length * encoder.width()) {
            x = new float[nodeIds.length * encoder.width()];
        }
        if (codes.length < nodeIds.length * encoder.codes()) {
            codes = new int[nodeIds.length * encoder.codes()];
        }
        for (int i = 0; i < nodeIds.length; i++) {
            encoder.encode(properties, nodeIds[i], x, i * encoder.width(), codes, i * encoder.codes());
        }
        read = nodeIds;
        readType = type;
    }
}
