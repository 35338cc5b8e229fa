// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import ai.onnxruntime.OrtEnvironment;

/** The linked ONNX Runtime; the first call unpacks the native library (some 0.3 s). */
public final class OnnxRuntimeVersion {
    private OnnxRuntimeVersion() {}

    /** @throws LinkageError when no native library fits this machine */
    public static String linked() {
        return OrtEnvironment.getEnvironment().getVersion();
    }
}
