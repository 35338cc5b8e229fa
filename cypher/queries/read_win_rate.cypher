// read_win_rate.cypher – which version wins where lists are made of items of several: in each list the version with the most
// clicks wins, a tie is shared, and a list without a click decides nothing.
// Params:  $since :: INTEGER, epoch milliseconds.
// Returns: model :: STRING, version :: INTEGER, lists :: INTEGER, wins :: FLOAT, winRate :: FLOAT, wins over lists.
// Idempotent.  Needs: no index; one on the relationship property GNN_FEEDBACK(at) makes it read only what is asked for.
MATCH (source)-[event:GNN_FEEDBACK]->()
WHERE event.at >= $since AND event.kind IN ['impression', 'click']
WITH source, event.id AS list, event.model AS model, event.version AS version,
  sum(CASE event.kind WHEN 'click' THEN 1 ELSE 0 END) AS clicks
WITH source, list, collect({model: model, version: version, clicks: clicks}) AS sides, max(clicks) AS most
WHERE size(sides) > 1 AND most > 0
WITH sides, most, size([side IN sides WHERE side.clicks = most]) AS winners
UNWIND sides AS side
WITH side.model AS model, side.version AS version, CASE side.clicks WHEN most THEN 1.0 / winners ELSE 0.0 END AS win
RETURN model, version, count(*) AS lists, sum(win) AS wins, avg(win) AS winRate
ORDER BY model, version
