CREATE (:Item {id: 1});
