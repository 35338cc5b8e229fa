// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.database;

import static io.gnn4j.database.TestDatabase.query;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import java.io.IOException;
import java.util.Map;

/** The users and items that the golden files of the served contracts were worked by hand for. */
public final class HandWorkedShop {
    private HandWorkedShop() {}

    /** Makes them in an emptied database, with unique keys. */
    public static void create() throws IOException {
        TestDatabase.clear();
        query("CREATE CONSTRAINT FOR (n:User) REQUIRE n.id IS UNIQUE");
        query("CREATE CONSTRAINT FOR (n:Item) REQUIRE n.id IS UNIQUE");
        var graph = new ObjectMapper().readTree(Golden.bytes("item_propagation/graph.json"));
        for (var node : graph.get("nodes")) {
            query("CREATE (n:$($label) {id: $id})", Map.of("label", node.get("label").asText(), "id", node.get("key").asLong()));
        }
        for (var one : graph.get("relationships")) {
            query("MATCH (u:User {id: $u}), (i:Item {id: $i}) CREATE (u)-[:$($type) {at: $at}]->(i)", Map.of(
                "u", one.get("source").asLong(), "i", one.get("target").asLong(),
                "type", one.get("type").asText(), "at", one.get("at").asLong()));
        }
    }
}
