// Of four users three bought item 1, two of them item 2 as well, one item 3.
UNWIND [[1, 1], [1, 2], [2, 1], [2, 2], [3, 1], [3, 3], [4, 3]] AS pair
MERGE (u:User {id: pair[0]})
MERGE (i:Item {id: pair[1]})
CREATE (u)-[:BUY]->(i);
