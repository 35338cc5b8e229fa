// explain_because_you_bought.cypher – the best items of a user, each with the item of the history that counts most for it.
// Params:  $user :: ANY, the key of the user; $configuration :: MAP (of gnn.recommend.stream), as {topK: 5}; $template ::
//          STRING, as 'Because you bought {via.title}'; places: source, key, item_key.
// Returns: rank :: INTEGER, item :: ANY, text :: STRING (null for items that come by popularity), contribution :: FLOAT, path ::
//          PATH to be drawn.
// Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>` {`<key>`: $user})
CALL gnn.recommend.stream(user, $configuration) YIELD node, rank, origin
CALL (user, node, origin) {
  WITH user, node WHERE origin = 'exact'
  CALL gnn.explain.stream(user, node, {template: $template, model: $configuration.model}) YIELD path, contribution, text
  RETURN path, contribution, text LIMIT 1
  UNION
  WITH origin WHERE origin <> 'exact'
  RETURN null AS path, null AS contribution, null AS text
}
RETURN rank, node.`<item_key>` AS item, text, contribution, path
ORDER BY rank
