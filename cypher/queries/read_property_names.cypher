// read_property_names.cypher – the names of the properties that nodes of a label have, by its first 1 000.
// Names:   <label>.
// Returns: names :: LIST<STRING>.  Idempotent.  Needs: nothing.
MATCH (n:`<label>`)
WITH n LIMIT 1000
UNWIND keys(n) AS name
RETURN collect(DISTINCT name) AS names
