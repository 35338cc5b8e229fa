// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;

/** Ends runs of ONNX Runtime from another thread. For one run at a time; once off it stays off. */
final class RunSwitch {
    private OrtSession.RunOptions running;
    private boolean off;

    /** Before a run. */
    synchronized void begin(OrtSession.RunOptions options) {
        running = options;
        if (off) {
            terminate();
        }
    }

    /** After it, before its options are closed. */
    synchronized void over() {
        running = null;
    }

    synchronized void off() {
        off = true;
        if (running != null) {
            terminate();
        }
    }

    private void terminate() {
        try {
            running.setTerminate(true);
        } catch (OrtException | IllegalStateException alreadyOver) {
            // The run ended in the same moment: nothing is left to end.
        }
    }
}
