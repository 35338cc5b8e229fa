CREATE (:Item {id: 1}), (:Item {id: 2, brand: 'A'}), (:Item {id: 3, brand: 'A'}), (:Item {id: 4, brand: 'B'}), (:Item {id: 5, brand: 'C'});
