// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.config;

import java.util.List;

/** The faults of one configuration map, all of them, in one sentence each. */
public final class InvalidConfiguration extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private final transient List<String> faults;

    public InvalidConfiguration(List<String> faults) {
        super(faults.size() == 1 ? faults.get(0) : "Several faults in the configuration: " + String.join(" ", faults));
        this.faults = List.copyOf(faults);
    }

    public List<String> faults() {
        return faults;
    }
}
