// read_node_properties.cypher – some properties of each of a batch of nodes, as they are stored.
// Params:  $ids :: LIST<INTEGER> (Neo4j ids, at most 50 000), $names :: LIST<STRING>; places: label.
// Returns: ids :: LIST<INTEGER>, values :: LIST<LIST<ANY>> side by side; null where a node lacks a property.
// Idempotent.  Needs: no index, the nodes are sought by id.
CYPHER 5
MATCH (node:`<label>`)
WHERE id(node) IN $ids
RETURN collect(id(node)) AS ids, collect([name IN $names | node[name]]) AS values
