// record_feedback.cypher – what was shown, clicked and dismissed, by key.
// Params:  $events :: LIST<MAP {recommendationId, kind, user, item, rank, model, version, at}> (the last four optional, at most
//          100,000); places: source, key, item, item_key.
// Returns: recorded :: INTEGER, duplicates :: INTEGER, rejected :: INTEGER.
// Idempotent: an event that is there already is counted as a duplicate.  Needs: the uniqueness constraints on the keys.
UNWIND $events AS event
OPTIONAL MATCH (user:`<source>` {`<key>`: event.user})
OPTIONAL MATCH (item:`<item>` {`<item_key>`: event.item})
WITH collect({
  recommendationId: event.recommendationId, kind: event.kind, source: user, node: item, rank: event.rank,
  model: event.model, version: event.version, at: event.at
}) AS events
CALL gnn.feedback.record(events) YIELD recorded, duplicates, rejected
RETURN recorded, duplicates, rejected
