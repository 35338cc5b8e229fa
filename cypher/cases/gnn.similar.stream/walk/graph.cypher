// Users 1 and 2 share item 1, users 1 and 3 share items 1 and 2.
CREATE (a:User {id: 1}), (b:User {id: 2}), (c:User {id: 3}), (w:Item {id: 1}), (x:Item {id: 2}),
       (a)-[:BUY]->(w), (a)-[:BUY]->(x), (b)-[:BUY]->(w), (c)-[:BUY]->(w), (c)-[:BUY]->(x);
