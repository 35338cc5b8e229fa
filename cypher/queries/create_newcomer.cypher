// create_newcomer.cypher – a user created a moment before, who did a few things that go together.
// Params:  $key :: ANY, $count :: INTEGER, $model :: STRING (an alias); places: source, key, target, type, time.
//          The interactions are as new as the newest one there is; the label tells the demo's user from others.
// Returns: written :: INTEGER, the interactions.  Idempotent.  Needs: the uniqueness constraint on the key, a model.
MATCH (popular:`<target>`)
WITH popular, COUNT { (popular)<-[:`<type>`]-() } AS users
ORDER BY users DESC, elementId(popular)
SKIP 20 LIMIT 1
CALL gnn.similar.stream(popular, {topK: $count - 1, model: $model}) YIELD node
WITH popular, collect(node) AS alike
MERGE (user:`<source>` {`<key>`: $key})
SET user:GnnNewcomer
WITH user, [popular] + alike AS items
CALL () {
  MATCH ()-[earlier:`<type>`]->()
  RETURN coalesce(max(earlier.`<time>`), timestamp()) AS newest
}
UNWIND range(0, size(items) - 1) AS position
WITH user, newest, items[position] AS item, position
MERGE (user)-[did:`<type>`]->(item)
SET did.`<time>` = newest - position
RETURN count(*) AS written
