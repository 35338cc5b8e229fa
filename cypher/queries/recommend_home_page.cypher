// recommend_home_page.cypher – what a signed-in user sees first: the best unseen items, few of one kind.
// Params:  $user :: ANY, the key of the user; $configuration :: MAP (of gnn.recommend.stream), as {topK: 12, maxPer: {brand: 2}};
//          places: source, key, item_key.
// Returns: rank :: INTEGER, item :: ANY, score :: FLOAT, origin :: STRING; no rows where there is no such user.
// Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>` {`<key>`: $user})
CALL gnn.recommend.stream(user, $configuration) YIELD node, rank, score, origin
RETURN rank, node.`<item_key>` AS item, score, origin
ORDER BY rank
