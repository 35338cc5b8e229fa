// Item 1 was bought 5 and 15 days ago, item 2 15 days ago, item 3 nobody knows when.
CREATE (u:User {id: 1}), (a:Item {id: 1}), (b:Item {id: 2}), (c:Item {id: 3}),
       (u)-[:BUY {at: timestamp() - 5 * 86400000}]->(a), (u)-[:BUY {at: timestamp() - 15 * 86400000}]->(a),
       (u)-[:BUY {at: timestamp() - 15 * 86400000}]->(b), (u)-[:BUY]->(c);
