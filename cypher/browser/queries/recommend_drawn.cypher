// Recommend, drawn
MATCH (user:User {id: 42})
CALL gnn.recommend.stream(user, {topK: 5}) YIELD node
CALL (user, node) {
  MATCH path = (user)-[:BUY]->(:Item)<-[:BUY]-(:User)-[:BUY]->(node)
  RETURN path
  LIMIT 3
}
RETURN path
