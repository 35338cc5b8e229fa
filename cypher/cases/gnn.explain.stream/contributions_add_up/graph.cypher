// User 1 bought item 1 and viewed item 2. Of the users who bought items 1 and 3, Bea bought two things and Cem four.
CREATE (a:User {id: 1, name: 'Ann'}), (b:User {id: 2, name: 'Bea'}), (c:User {id: 3, name: 'Cem'}), (k:Category {name: 'Tea'}),
       (w:Item {id: 1, title: 'Cup'}), (x:Item {id: 2}), (y:Item {id: 3, title: 'Pot'}), (z:Item {id: 4}), (v:Item {id: 5}),
       (a)-[:BUY]->(w), (a)-[:VIEW]->(x), (a)-[:VIEW]->(w), (a)-[:RECOMMENDED]->(y),
       (c)-[:BUY]->(w), (c)-[:BUY]->(y), (c)-[:BUY]->(z), (c)-[:BUY]->(v), (b)-[:BUY]->(w), (b)-[:BUY]->(y),
       (x)-[:IN_CATEGORY]->(k), (y)-[:IN_CATEGORY]->(k);
