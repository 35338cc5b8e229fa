// Similar items
MATCH (item:Item {id: 1})
CALL gnn.similar.stream(item, {topK: 10}) YIELD node, rank, score
RETURN rank, node.title AS title, score
ORDER BY rank
