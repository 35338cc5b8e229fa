// User 1 has item 1; user 2 has items 1, 2 and 3; user 3 has item 2.
UNWIND range(1, 4) AS n CREATE (:Item {id: n, onSale: n = 4});
UNWIND range(1, 3) AS n CREATE (:User {id: n});
UNWIND [[1, 1], [2, 1], [2, 2], [2, 3], [3, 2]] AS pair
MATCH (u:User {id: pair[0]}), (i:Item {id: pair[1]}) CREATE (u)-[:BUY]->(i);
