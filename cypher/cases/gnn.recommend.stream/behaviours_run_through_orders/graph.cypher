// Users place orders that contain items; a review points from the item to the user.
CREATE (a:User {id: 1}), (b:User {id: 2}), (c:User {id: 3}),
       (w:Item {id: 1}), (x:Item {id: 2}), (y:Item {id: 3}), (z:Voucher {id: 4}),
       (a)-[:PLACED]->(:Order)-[:CONTAINS]->(w),
       (b)-[:PLACED]->(o:Order)-[:CONTAINS]->(w), (o)-[:CONTAINS]->(x), (o)-[:CONTAINS]->(z),
       (y)-[:REVIEWED_BY]->(c), (w)-[:REVIEWED_BY]->(c);
