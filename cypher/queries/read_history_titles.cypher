// read_history_titles.cypher – what a user did last, by title.
// Params:  $key :: ANY, $types :: LIST<STRING>, $time :: STRING (property of the relationships, '' for none),
//          $titles :: LIST<STRING> (properties to be shown, the first present one), $count :: INTEGER; places: source, key, target.
// Returns: title :: STRING.  Idempotent.  Needs: the uniqueness constraint on the key.
MATCH (user:`<source>` {`<key>`: $key})-[one]->(item:`<target>`)
WHERE type(one) IN $types
WITH item, max(one[$time]) AS at
ORDER BY at DESC, elementId(item)
LIMIT $count
RETURN toString(head([name IN $titles WHERE item[name] IS NOT NULL | item[name]])) AS title
