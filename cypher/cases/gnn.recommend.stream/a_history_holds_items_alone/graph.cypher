CREATE (:Item {id: 1}), (:Category {id: 1}), (:User {id: 1});
