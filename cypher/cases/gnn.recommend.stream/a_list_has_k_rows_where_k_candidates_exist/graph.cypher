// The walk reaches item 2 only; item 4 was seen, item 5 is disliked.
CREATE (a:User {id: 1}), (b:User {id: 2}), (w:Item {id: 1}), (x:Item {id: 2}), (:Item {id: 3}), (s:Item {id: 4}),
       (d:Item {id: 5}), (a)-[:BUY]->(w), (b)-[:BUY]->(w), (b)-[:BUY]->(x), (a)-[:BUY]->(s), (a)-[:DISLIKES]->(d);
