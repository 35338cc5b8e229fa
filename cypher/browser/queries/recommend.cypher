// Recommend for a user
MATCH (user:User {id: 42})
CALL gnn.recommend.stream(user, {topK: 10}) YIELD node, rank, score, origin
RETURN rank, node.title AS title, score, origin
ORDER BY rank
