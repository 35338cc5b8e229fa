// read_click_through.cypher – impressions, clicks and dismissals of each version of each model.
// Params:  $since :: INTEGER, epoch milliseconds.
// Returns: model :: STRING, version :: INTEGER, impressions :: INTEGER, clicks :: INTEGER, dismissals :: INTEGER,
//          clickThrough :: FLOAT, clicks over impressions, null without impressions.
// Idempotent.  Needs: no index; one on the relationship property GNN_FEEDBACK(at) makes it read only what is asked for.
MATCH ()-[event:GNN_FEEDBACK]->()
WHERE event.at >= $since
WITH event.model AS model, event.version AS version,
  sum(CASE event.kind WHEN 'impression' THEN 1 ELSE 0 END) AS impressions,
  sum(CASE event.kind WHEN 'click' THEN 1 ELSE 0 END) AS clicks,
  sum(CASE event.kind WHEN 'dismiss' THEN 1 ELSE 0 END) AS dismissals
RETURN model, version, impressions, clicks, dismissals,
  CASE impressions WHEN 0 THEN null ELSE toFloat(clicks) / impressions END AS clickThrough
ORDER BY model, version
