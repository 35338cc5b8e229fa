// read_node_keys.cypher – the key of each of a batch of nodes.
// Params:  $ids :: LIST<INTEGER> (Neo4j ids, at most 50 000); places: label, key.
// Returns: ids :: LIST<INTEGER>, keys :: LIST<ANY>, side by side; nodes that are gone or lack the key are left out.
// Idempotent.  Needs: no index, the nodes are sought by id.
CYPHER 5
MATCH (node:`<label>`)
WHERE id(node) IN $ids AND node.`<key>` IS NOT NULL
RETURN collect(id(node)) AS ids, collect(node.`<key>`) AS keys
