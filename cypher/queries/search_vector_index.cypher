// search_vector_index.cypher – the best items for one user by the vector index alone, without a procedure of ours.
// Params:  $key :: ANY, $seen :: LIST<STRING> (relationship types whose items stay away), $k :: INTEGER,
//          $candidates :: INTEGER, what the index is asked for: k and room for all that is taken out;
//          places: source, key, item, index (the index and the property have one name, gnn_<model>_v<version>).
// Returns: item :: NODE, score :: FLOAT, the dot product of the vectors as the last propagation wrote them.
// Idempotent.  Needs: the uniqueness constraint on the key, the vector index.
CYPHER 25
MATCH (user:`<source>` {`<key>`: $key})
WHERE user.`<index>` IS NOT NULL
WITH user, vector(user.`<index>`, size(user.`<index>`), FLOAT32) AS own
MATCH (item:`<item>`)
  SEARCH item IN (VECTOR INDEX `<index>` FOR user.`<index>` LIMIT $candidates)
WHERE NOT EXISTS { (user)-[event]->(item) WHERE type(event) IN $seen }
WITH item, -vector_distance(own, vector(item.`<index>`, size(item.`<index>`), FLOAT32), DOT) AS score
RETURN item, score
ORDER BY score DESC, elementId(item)
LIMIT $k
