// read_property_values.cypher – the distinct texts of a property, in Unicode form NFC.
// Names:   <label>, <property>.
// Params:  $limit :: INTEGER, one more than may be.
// Returns: value :: STRING, each once, in any order.  Idempotent.  Needs: nothing; reads all nodes of the label.
MATCH (n:`<label>`)
WHERE n.`<property>` IS NOT NULL
UNWIND CASE WHEN valueType(n.`<property>`) STARTS WITH 'LIST' THEN n.`<property>` ELSE [n.`<property>`] END AS raw
WITH DISTINCT normalize(raw) AS value
RETURN value
LIMIT $limit
