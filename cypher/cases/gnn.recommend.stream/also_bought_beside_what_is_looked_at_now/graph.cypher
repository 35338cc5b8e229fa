// Users 1 to 3 have item 1, users 4 and 5 have item 4; user 5 alone has item 5.
UNWIND [[1, 1], [1, 2], [2, 1], [2, 2], [3, 1], [3, 3], [4, 4], [4, 2], [5, 4], [5, 2], [5, 5]] AS pair
MERGE (u:User {id: pair[0]})
MERGE (i:Item {id: pair[1]})
CREATE (u)-[:BUY]->(i);
