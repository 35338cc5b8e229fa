// recommend_email_batch.cypher – lists for many users at once, one row a user.
// Params:  $users :: LIST<ANY>, keys, a thousand or so a call; $configuration :: MAP (of gnn.recommend.stream), as {topK: 5};
//          places: source, key, item_key.
// Returns: user :: ANY, items :: LIST<ANY>, best first; users that are gone have no row.
// Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>`)
WHERE user.`<key>` IN $users
WITH collect(user) AS users
CALL gnn.recommend.stream(users, $configuration) YIELD source, node, rank
WITH source, node, rank ORDER BY rank
RETURN source.`<key>` AS user, collect(node.`<item_key>`) AS items
ORDER BY user
