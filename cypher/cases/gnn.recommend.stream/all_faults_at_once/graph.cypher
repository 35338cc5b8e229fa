CREATE (:User {id: 1});
