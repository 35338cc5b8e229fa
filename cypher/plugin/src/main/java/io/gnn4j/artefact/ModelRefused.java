// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.util.List;

/** A model that fails a check; the message holds every fault found by that check, and nothing was stored or run. */
public final class ModelRefused extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private final transient List<String> faults;

    /**
     * @param what what was checked, e.g. {@code "manifest.json"}
     * @param faults one sentence each, at least one
     */
    public ModelRefused(String what, List<String> faults) {
        super("The model is refused: " + what + ": " + String.join(" ", faults));
        this.faults = List.copyOf(faults);
    }

    public ModelRefused(String what, String fault) {
        this(what, List.of(fault));
    }

    public List<String> faults() {
        return faults;
    }
}
