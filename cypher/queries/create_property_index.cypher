// create_property_index.cypher – makes a property of a label findable.
// Names:   <label>, <property>.
// Returns: nothing.  Idempotent.  Needs: nothing.
CREATE INDEX IF NOT EXISTS FOR (n:`<label>`) ON (n.`<property>`)
