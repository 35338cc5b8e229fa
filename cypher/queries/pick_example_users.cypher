// pick_example_users.cypher – users to show a recommender on: one with a middling history, one with a long one.
// Params:  $types :: LIST<STRING> (behaviours), $count :: INTEGER; places: source, key.
// Returns: key :: ANY, degree :: INTEGER.  Idempotent.  Needs: no index; reads the degrees of at most 1 000 users.
MATCH (user:`<source>`)
WITH user ORDER BY user.`<key>` LIMIT 1000
WITH user, COUNT { (user)-[one]->() WHERE type(one) IN $types } AS degree
WHERE degree >= 3
WITH user, degree ORDER BY degree, user.`<key>`
WITH collect({user: user, degree: degree}) AS users
UNWIND range(1, $count) AS position
WITH users[toInteger(position * (size(users) - 1) / ($count * 1.0))] AS chosen
WHERE chosen IS NOT NULL
RETURN chosen.user.`<key>` AS key, chosen.degree AS degree
