// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Injected into every procedure: who asks, in which database, and the server-wide services.
 *
 * <p>Registered as a safe component, so no {@code dbms.security.procedures.unrestricted} is needed.
 *
 * @param user the executing user; empty with authentication off
 */
public record GnnContext(String user, GraphDatabaseAPI database, SecurityContext security, GnnServices services) {
    public String databaseName() {
        return database.databaseName();
    }
}
