// Item 1 has to do with item 2 by two nodes, with item 3 by three, with item 4 by one category or one author.
CREATE (u:User {id: 1}), (a:Item {id: 1}), (b:Item {id: 2}), (c:Item {id: 3}), (d:Item {id: 4}), (e:Item {id: 5}), (u)-[:BUY]->(a),
       (ann:Author {name: 'Ann'}), (bob:Author {name: 'Bob'}), (cid:Author {name: 'Cid'}), (k:Category {name: 'Books'}),
       (a)-[:BY]->(ann), (d)-[:BY]->(ann), (b)-[:BY]->(bob), (c)-[:BY]->(cid), (ann)-[:KNOWS]->(bob), (cid)-[:KNOWS]->(bob),
       (a)-[:IN]->(k), (d)-[:IN]->(k), (e)-[:IN]->(k);
