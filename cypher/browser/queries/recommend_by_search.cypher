// Recommend by SEARCH
// Without our procedures: the vector index, and what the user has seen left out by hand.
// gnn_shop_v1 is the model's `vectorIndex` and `embeddingProperty`; CALL gnn.model.list() shows them.
CYPHER 25
MATCH (user:User {id: 42})
MATCH (item:Item)
  SEARCH item IN (VECTOR INDEX gnn_shop_v1 FOR user.gnn_shop_v1 LIMIT 100) SCORE AS score
WHERE NOT EXISTS { (user)-[:BUY|FAVOURITE|VIEW]->(item) }
RETURN item.title AS title, score
ORDER BY score DESC
LIMIT 10
