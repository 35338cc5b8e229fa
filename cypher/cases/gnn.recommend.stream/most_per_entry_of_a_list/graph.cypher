// Item n has 8 - n users.
CREATE (:Item {id: 1, genres: ['drama']}), (:Item {id: 2, genres: ['drama', 'war']}), (:Item {id: 3, genres: ['war', 'war'], year: 2000}),
       (:Item {id: 4, year: 2000.0}), (:Item {id: 5, genres: ['love', 'drama']}), (:Item {id: 6, genres: ['love'], year: 2000}),
       (:Item {id: 7, genres: ['love']});
UNWIND range(1, 7) AS n
CREATE (u:User {id: n})
WITH u, n
MATCH (i:Item) WHERE i.id <= 8 - n
CREATE (u)-[:BUY]->(i);
