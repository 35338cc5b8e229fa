// recommend_basket.cypher – what goes with the items in the basket, for a user or a visitor who has not signed in.
// Params:  $user :: ANY, the key of the user, or null; $basket :: LIST<ANY>, keys of items, oldest first;
//          $configuration :: MAP (of gnn.recommend.stream), as {topK: 6}; places: source, key, item, item_key.
// Returns: rank :: INTEGER, item :: ANY, score :: FLOAT, origin :: STRING.
// Idempotent.  Needs: the uniqueness constraints on the keys.
OPTIONAL MATCH (user:`<source>` {`<key>`: $user})
WITH user, $configuration AS given, COLLECT {
  UNWIND range(0, size($basket) - 1) AS place
  MATCH (item:`<item>` {`<item_key>`: $basket[place]})
  RETURN item ORDER BY place
} AS basket
CALL gnn.recommend.stream(user, given {.*, context: basket}) YIELD node, rank, score, origin
RETURN rank, node.`<item_key>` AS item, score, origin
ORDER BY rank
