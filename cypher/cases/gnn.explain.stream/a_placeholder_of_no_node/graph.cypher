CREATE (:User {id: 1}), (:Item {id: 1});
