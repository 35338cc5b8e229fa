// read_key_constraints.cypher – the labels whose nodes one property tells apart.
// Params:  none.
// Returns: label :: STRING, property :: STRING.  Idempotent.  Needs: nothing.
SHOW CONSTRAINTS YIELD type, entityType, labelsOrTypes, properties
WHERE entityType = 'NODE' AND size(properties) = 1 AND (type CONTAINS 'UNIQUE' OR type CONTAINS 'KEY')
RETURN labelsOrTypes[0] AS label, properties[0] AS property
