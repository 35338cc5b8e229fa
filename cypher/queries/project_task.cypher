// project_task.cypher – a task with behaviours through middle nodes, as a GDS graph.
// Params:  $name :: STRING, $labels :: LIST<STRING>, $alsoTypes :: LIST<STRING>,
//          $direct :: LIST<MAP {source, stored, target, type, weight}>,
//          $through :: LIST<MAP {source, first, second, target, type, weight}>.
// Names:   <time>, <...properties> of nodes.
// Returns: graphName, nodeCount, relationshipCount, projectMillis, as GDS has them.
// Idempotent: no, the graph must not exist.  Needs: GDS; no index.
CYPHER 25
CALL () {
  UNWIND $labels AS label
  MATCH (source:$(label))
  RETURN source, null AS target, null AS type, null AS time, null AS weight
  UNION ALL
  UNWIND $direct AS behaviour
  MATCH (source:$(behaviour.source))-[did:$(behaviour.stored)]->(target:$(behaviour.target))
  RETURN source, target, behaviour.type AS type, did.`<time>` AS time, behaviour.weight AS weight
  UNION ALL
  UNWIND $through AS behaviour
  MATCH (source:$(behaviour.source))-[first:$(behaviour.first)]->()-[second:$(behaviour.second)]->(target:$(behaviour.target))
  RETURN source, target, behaviour.type AS type, coalesce(second.`<time>`, first.`<time>`) AS time,
    behaviour.weight AS weight
  UNION ALL
  UNWIND $alsoTypes AS also
  MATCH (source)-[did:$(also)]->(target)
  WHERE any(label IN labels(source) WHERE label IN $labels) AND any(label IN labels(target) WHERE label IN $labels)
  RETURN source, target, also AS type, did.`<time>` AS time, 1.0 AS weight
}
WITH gds.graph.project(
  $name,
  source,
  target,
  CASE
    // These rows come first and GDS keeps the first it is told of a node.
    WHEN target IS NULL THEN {
      sourceNodeLabels: [label IN labels(source) WHERE label IN $labels],
      targetNodeLabels: null,
      sourceNodeProperties: source {.`<...properties>`},
      targetNodeProperties: null
    }
    ELSE {
      sourceNodeLabels: [label IN labels(source) WHERE label IN $labels],
      targetNodeLabels: [label IN labels(target) WHERE label IN $labels],
      relationshipType: type,
      relationshipProperties: {`<time>`: toFloat(coalesce(time, 0.0 / 0.0)), weight: weight}
    }
  END
) AS graph
RETURN graph.graphName AS graphName, graph.nodeCount AS nodeCount, graph.relationshipCount AS relationshipCount,
  graph.projectMillis AS projectMillis
