// read_property_types.cypher – of which types the values of a property are.
// Names:   <label>, <property>.
// Returns: kinds :: LIST<STRING>, such as ['INTEGER NOT NULL']; empty where no node has the property.  Idempotent.
//          Needs: nothing; reads all nodes of the label.
MATCH (n:`<label>`)
WHERE n.`<property>` IS NOT NULL
RETURN collect(DISTINCT valueType(n.`<property>`)) AS kinds
