// explain_because_you_bought.cypher – the best items of a user, each with the item of the history that counts most for it.
// Params:  $user :: ANY, the key of the user; $configuration :: MAP (of gnn.recommend.stream), as {topK: 5}; $template ::
//          STRING, as 'Because you bought {via.title}'; places: source, key, item_key.
// Returns: rank :: INTEGER, item :: ANY, text :: STRING (null for items that no vector or weight speaks for, as those that come by
//          popularity), contribution :: FLOAT (to the score; of a blend to what its vectors say), path :: PATH to be drawn.
// Idempotent.  Needs: the uniqueness constraint on the key; a model of item-propagation/1, item-weights/1 or padded-blocks/1.
MATCH (user:`<source>` {`<key>`: $user})
CALL gnn.recommend.stream(user, $configuration) YIELD node, rank, scores, origin
WITH user, node, rank, origin = 'exact' OR origin IN ['blend', 'cold', 'rerank'] AND coalesce(scores.vector, 0.0) <> 0 AS told
CALL (user, node, told) {
  WITH user, node, told WHERE told
  CALL gnn.explain.stream(user, node, {template: $template, model: $configuration.model}) YIELD path, contribution, text
  RETURN path, contribution, text LIMIT 1
  UNION
  WITH told WHERE NOT told
  RETURN null AS path, null AS contribution, null AS text
}
RETURN rank, node.`<item_key>` AS item, text, contribution, path
ORDER BY rank
