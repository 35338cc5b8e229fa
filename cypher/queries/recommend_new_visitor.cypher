// recommend_new_visitor.cypher – for somebody without a node, known by the items looked at; nothing is stored.
// Params:  $history :: LIST<ANY>, keys of items, oldest first, may be empty; $configuration :: MAP (of gnn.recommend.stream), as
//          {topK: 10}; places: item, item_key.
// Returns: rank :: INTEGER, item :: ANY, score :: FLOAT, origin :: STRING; the popular items for an empty history.
// Idempotent.  Needs: the uniqueness constraint on the key.
WITH $configuration AS given, COLLECT {
  UNWIND range(0, size($history) - 1) AS place
  MATCH (item:`<item>` {`<item_key>`: $history[place]})
  RETURN item ORDER BY place
} AS history
CALL gnn.recommend.stream(null, given {.*, history: history}) YIELD node, rank, score, origin
RETURN rank, node.`<item_key>` AS item, score, origin
ORDER BY rank
