// project_task.cypher – a task with behaviours through middle nodes, as a GDS graph.
// Params:  $name :: STRING, $labels :: LIST<STRING>, $direct :: LIST<MAP {source, type, target}>,
//          $through :: LIST<MAP {source, type, first, second, target}>; place: time.
// Returns: graphName, nodeCount, relationshipCount, projectMillis, as GDS has them.
// Idempotent: no, the graph must not exist.  Needs: GDS; no index.
CYPHER 25
CALL () {
  UNWIND $labels AS label
  MATCH (source:$(label))
  RETURN source, null AS target, null AS type, null AS time
  UNION ALL
  UNWIND $direct AS behaviour
  MATCH (source:$(behaviour.source))-[did:$(behaviour.type)]->(target:$(behaviour.target))
  RETURN source, target, behaviour.type AS type, did.`<time>` AS time
  UNION ALL
  UNWIND $through AS behaviour
  MATCH (source:$(behaviour.source))-[first:$(behaviour.first)]->()-[second:$(behaviour.second)]->(target:$(behaviour.target))
  RETURN source, target, behaviour.type AS type, coalesce(second.`<time>`, first.`<time>`) AS time
}
WITH gds.graph.project(
  $name,
  source,
  target,
  CASE
    WHEN target IS NULL THEN {
      sourceNodeLabels: [label IN labels(source) WHERE label IN $labels],
      targetNodeLabels: null
    }
    ELSE {
      sourceNodeLabels: [label IN labels(source) WHERE label IN $labels],
      targetNodeLabels: [label IN labels(target) WHERE label IN $labels],
      relationshipType: type,
      relationshipProperties: {`<time>`: toFloat(coalesce(time, 0.0 / 0.0))}
    }
  END
) AS graph
RETURN graph.graphName AS graphName, graph.nodeCount AS nodeCount, graph.relationshipCount AS relationshipCount,
  graph.projectMillis AS projectMillis
