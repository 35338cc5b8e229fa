// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import io.gnn4j.artefact.BlockSchema;
import java.util.List;

/** All features of one node type. Safe for several threads. */
final class TypeEncoder {
    private final BlockSchema.NodeType type;
    private final List<FeatureEncoder> encoders;
    private final int[] starts;

    TypeEncoder(BlockSchema.NodeType type) {
        this.type = type;
        encoders = type.features().stream().map(FeatureEncoder::new).toList();
        starts = new int[encoders.size()];
        int x = 0;
        int code = 0;
        for (int f = 0; f < starts.length; f++) {
            var feature = encoders.get(f).feature();
            starts[f] = feature.encoder().isCoded() ? code : x;
            if (feature.encoder().isCoded()) {
                code += feature.columns();
            } else {
                x += feature.columns();
            }
        }
    }

    List<FeatureEncoder> encoders() {
        return encoders;
    }

    /** The first column of a feature in its tensor. */
    int start(int feature) {
        return starts[feature];
    }

    int width() {
        return type.width();
    }

    int codes() {
        return type.codes();
    }

    /**
     * The columns of one node.
     *
     * @param x at least {@link #width()} from {@code xAt}; {@code codes} alike
     * @throws IllegalArgumentException naming the node, for a value that cannot be encoded
     */
    void encode(PropertyReader properties, long nodeId, float[] x, int xAt, int[] codes, int codesAt) {
        for (int f = 0; f < starts.length; f++) {
            var feature = encoders.get(f).feature();
            try {
                encoders.get(f).encode(properties.property(nodeId, feature.property()), x, codes,
                    starts[f] + (feature.encoder().isCoded() ? codesAt : xAt));
            } catch (FeatureFault fault) {
                throw new IllegalArgumentException(fault(f, feature.property(), nodeId, fault));
            }
        }
    }

    /** One sentence that names the place. */
    String fault(int feature, String property, long nodeId, FeatureFault fault) {
        return "Feature `" + property + "` of :" + type.label() + " node " + nodeId + " cannot be encoded as "
            + encoders.get(feature).feature().encoder().name().toLowerCase(java.util.Locale.ROOT) + ": " + fault.getMessage();
    }
}
