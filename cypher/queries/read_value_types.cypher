// read_value_types.cypher – of which types a property of a relationship type is, by its first 1 000 values.
// Params:  none; places: type, property.
// Returns: kinds :: LIST<STRING>, empty where none has the property.  Idempotent.  Needs: no index.
MATCH ()-[did:`<type>`]->()
WHERE did.`<property>` IS NOT NULL
WITH did LIMIT 1000
RETURN collect(DISTINCT valueType(did.`<property>`)) AS kinds
