// Item 1 was viewed five times by one user, item 2 once by each of two.
CREATE (a:User {id: 1}), (b:User {id: 2}), (w:Item {id: 1}), (x:Item {id: 2}), (:Item {id: 3}),
       (a)-[:VIEW]->(w), (a)-[:VIEW]->(w), (a)-[:VIEW]->(w), (a)-[:VIEW]->(w), (a)-[:VIEW]->(w),
       (a)-[:VIEW]->(x), (b)-[:VIEW]->(x);
