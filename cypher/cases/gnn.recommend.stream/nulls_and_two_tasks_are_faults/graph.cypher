// No node is needed for a wrong call.
CREATE (:Item {id: 1});
