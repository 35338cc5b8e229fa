// User 1 bought item 1 and viewed item 2 (weight 0.25).
CREATE (a:User {id: 1}), (b:User {id: 2}), (w:Item {id: 1}), (x:Item {id: 2}), (:Item {id: 3}), (:Item {id: 4}),
       (:Item {id: 5}), (a)-[:BUY]->(w), (a)-[:VIEW]->(x), (b)-[:VIEW]->(x);
