// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

/** One value that cannot be encoded; whoever knows the node adds it. */
final class FeatureFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    FeatureFault(String wanted, Object found) {
        super(wanted + " is expected, found " + FeatureEncoder.shown(found) + ".", null, false, false);
    }
}
