CREATE (u:User {id: 1})-[:BUY]->(:Item {id: 1}), (u)-[:BUY]->(:Item {id: 2}), (:Item {id: 3});
