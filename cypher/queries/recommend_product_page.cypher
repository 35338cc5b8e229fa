// recommend_product_page.cypher – beside an item: those like it, and those bought by the same users.
// Params:  $item :: ANY, the key of the item; $configuration :: MAP (of gnn.similar.stream), as {topK: 8};
//          places: item, item_key.
// Returns: kind :: STRING ('similar' or 'together'), rank :: INTEGER, item :: ANY, score :: FLOAT, count :: INTEGER, users who
//          touched both (null for 'similar').
// Idempotent.  Needs: the uniqueness constraint on the key; a model whose items have vectors.
MATCH (item:`<item>` {`<item_key>`: $item})
UNWIND [['similar', 'vector'], ['together', 'walk']] AS way
WITH item, way, $configuration AS given
CALL gnn.similar.stream(item, given {.*, method: way[1]}) YIELD node, rank, score, scores
RETURN way[0] AS kind, rank, node.`<item_key>` AS item, score, scores.count AS count
ORDER BY kind, rank
