UNWIND range(1, 4) AS n CREATE (:Item {id: n});
MATCH (i:Item {id: 1}) CREATE (:User {id: 1})-[:BUY]->(i);
