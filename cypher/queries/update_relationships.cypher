// update_relationships.cypher – sets properties of relationships that exist, found by their ends and identity.
// Names:   <type>, <source>, <sourceKey>, <target>, <targetKey>.
// Params:  $rows :: LIST<LIST> of [source key, target key, identity :: MAP (null = has none), properties :: MAP]
//          (at most 10 000).
// Returns: updated :: INTEGER.  Idempotent.  Needs: the uniqueness constraints on both keys.
UNWIND $rows AS row
MATCH (:`<source>` {`<sourceKey>`: row[0]})-[r:`<type>`]->(:`<target>` {`<targetKey>`: row[1]})
WHERE all(name IN keys(row[2]) WHERE coalesce(r[name] = row[2][name], r[name] IS NULL AND row[2][name] IS NULL))
SET r += row[3]
RETURN count(r) AS updated
