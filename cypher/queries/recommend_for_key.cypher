// recommend_for_key.cypher – the best items for one user, with a title to show.
// Params:  $key :: ANY, $configuration :: MAP (of gnn.recommend.stream), $titles :: LIST<STRING>; places: source, key.
// Returns: rank :: INTEGER, title :: STRING, score :: FLOAT, origin :: STRING.
// Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>` {`<key>`: $key})
CALL gnn.recommend.stream(user, $configuration) YIELD node, rank, score, origin
RETURN rank, toString(head([name IN $titles WHERE node[name] IS NOT NULL | node[name]])) AS title, score, origin
ORDER BY rank
