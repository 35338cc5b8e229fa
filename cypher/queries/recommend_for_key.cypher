// recommend_for_key.cypher – the best items for the one user whose key is among a few spellings of it.
// Params:  $keys :: LIST<ANY>, $configuration :: MAP (of gnn.recommend.stream), $titles :: LIST<STRING>;
//          places: source, key, item_key.
// Returns: user :: ANY, rank :: INTEGER, item :: ANY, title :: STRING, score :: FLOAT, origin :: STRING; one row with a null
//          rank for a user without a list, none where there is no such user.
// Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>`)
WHERE user.`<key>` IN $keys
WITH user LIMIT 1
OPTIONAL CALL gnn.recommend.stream(user, $configuration) YIELD node, rank, score, origin
RETURN user.`<key>` AS user, rank, node.`<item_key>` AS item,
  toString(head([name IN $titles WHERE node[name] IS NOT NULL | node[name]])) AS title, score, origin
ORDER BY rank
