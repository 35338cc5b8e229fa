// User 2 viewed item 2 three times and bought it once: weight 1, not 1.3. Item 3 was only viewed: weight 0.1.
CREATE (a:User {id: 1}), (b:User {id: 2}), (w:Item {id: 1}), (x:Item {id: 2}), (y:Item {id: 3}),
       (a)-[:BUY]->(w), (b)-[:BUY]->(w), (b)-[:BUY]->(x), (b)-[:VIEW]->(x), (b)-[:VIEW]->(x), (b)-[:VIEW]->(x),
       (b)-[:VIEW]->(y);
