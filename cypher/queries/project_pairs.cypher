// project_pairs.cypher – chosen relationships between known nodes, as a GDS graph: the train part of a split.
// Params:  $name :: STRING, $labels :: LIST<STRING>, $nodes :: LIST<INTEGER> (Neo4j ids),
//          $relations :: LIST<MAP {type, weight, sources :: LIST<INTEGER>, targets :: LIST<INTEGER>, times :: LIST<FLOAT>}>,
//          side by side, Neo4j ids and times (NaN = none).
// Names:   <time>, <...properties> of nodes.
// Returns: nodeCount, relationshipCount.
// Idempotent: no, the graph must not exist.  Needs: GDS; no index, the nodes are sought by id.
CYPHER 5
CALL {
  UNWIND $nodes AS nodeId
  MATCH (source)
  WHERE id(source) = nodeId
  RETURN source, null AS target, null AS type, null AS time, null AS weight
  UNION ALL
  UNWIND $relations AS relation
  UNWIND range(0, size(relation.sources) - 1) AS at
  MATCH (source)
  WHERE id(source) = relation.sources[at]
  MATCH (target)
  WHERE id(target) = relation.targets[at]
  RETURN source, target, relation.type AS type, relation.times[at] AS time, relation.weight AS weight
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
      relationshipProperties: {`<time>`: time, weight: weight}
    }
  END
) AS graph
RETURN graph.nodeCount AS nodeCount, graph.relationshipCount AS relationshipCount
