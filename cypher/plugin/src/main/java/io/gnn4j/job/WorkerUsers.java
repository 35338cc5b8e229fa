// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.util.ArrayList;
import java.util.List;

/** Who may work on jobs: the users of the setting {@code server.gnn.worker.users}. */
public record WorkerUsers(List<String> allowed) {
    /** @throws SecurityException unless the user is one of them, or authentication is off */
    public void require(String user, boolean authenticationOff, String procedure) {
        if (!authenticationOff && !allowed.contains(user)) {
            var all = new ArrayList<>(allowed);
            all.add(user);
            throw new SecurityException("User '" + user + "' may not " + procedure + ": a worker reads the data of everyone's jobs."
                + " An administrator names who may, in neo4j.conf: server.gnn.worker.users=" + String.join(",", all) + ".");
        }
    }
}
