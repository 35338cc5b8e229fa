// Only item 2 is a cheap red book of category 7 that is in stock.
CREATE (k:Category {id: 7}), (:User {id: 1}),
       (:Item:Book {id: 1, price: 12, tags: ['red'], inStock: true}),
       (:Item:Book {id: 2, price: 49.5, tags: ['new', 'red'], inStock: true})-[:IN_CATEGORY]->(k),
       (:Item:Book {id: 3, price: 50, tags: ['red'], inStock: true})-[:IN_CATEGORY]->(k),
       (:Item:Book {id: 4, price: 20, tags: ['blue'], inStock: true})-[:IN_CATEGORY]->(k),
       (:Item:Book {id: 5, price: 20, tags: ['red']})-[:IN_CATEGORY]->(k),
       (:Item {id: 6, price: 20, tags: ['red'], inStock: true})-[:IN_CATEGORY]->(k),
       (:Item:Book {id: 7, price: '20', tags: ['red'], inStock: true})-[:IN_CATEGORY]->(k);
