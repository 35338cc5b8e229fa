// create_relationships.cypher – creates one batch of relationships that are known not to exist.
// Names:   <type>, <source>, <sourceKey>, <target>, <targetKey>.
// Params:  $groups :: LIST<LIST> of [source key, rows :: LIST<LIST> of [target key, properties :: MAP]]
//          (at most 10 000 rows).
// Returns: written :: INTEGER.  Not idempotent: read_relationships comes before it in the same transaction.
//          Needs: the uniqueness constraints on both keys.
UNWIND $groups AS group
MATCH (s:`<source>` {`<sourceKey>`: group[0]})
UNWIND group[1] AS row
MATCH (t:`<target>` {`<targetKey>`: row[0]})
CREATE (s)-[r:`<type>`]->(t)
SET r = row[1]
RETURN count(r) AS written
