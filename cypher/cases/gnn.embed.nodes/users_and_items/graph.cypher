CREATE (a:User {id: 1}), (:User {id: 2}), (w:Item {id: 1}), (x:Item {id: 2}), (:Item {id: 3}),
       (a)-[:BUY]->(w), (a)-[:VIEW]->(w), (a)-[:VIEW]->(x);
