UNWIND range(1, 4) AS n CREATE (:Item {id: n, brand: n % 2});
