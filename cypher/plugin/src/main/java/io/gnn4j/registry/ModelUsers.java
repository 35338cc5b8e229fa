// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.List;
import org.neo4j.internal.kernel.api.security.SecurityContext;

/** Who may load, move and drop models: the users of the setting {@code server.gnn.model.load.users}. */
public record ModelUsers(List<String> allowed) {
    /** @throws SecurityException unless the caller is one of them, or authentication is off */
    public void require(SecurityContext caller, String procedure) {
        var user = caller.subject().executingUser();
        if (!caller.isAuthDisabled() && !allowed.contains(user)) {
            throw new SecurityException("User '" + user + "' may not call `" + procedure
                + "`: models run inside the server. An administrator names who may, in neo4j.conf: server.gnn.model.load.users="
                + String.join(",", allowed) + "," + user + ".");
        }
    }
}
