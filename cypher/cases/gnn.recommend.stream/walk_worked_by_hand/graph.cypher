// Three users, four items: 1 bought 1; 2 bought 1 and 2; 3 bought 1, 3 and 4.
CREATE (a:User {id: 1}), (b:User {id: 2}), (c:User {id: 3}),
       (w:Item {id: 1}), (x:Item {id: 2}), (y:Item {id: 3}), (z:Item {id: 4}),
       (a)-[:BUY]->(w), (b)-[:BUY]->(w), (b)-[:BUY]->(x), (c)-[:BUY]->(w), (c)-[:BUY]->(y), (c)-[:BUY]->(z);
