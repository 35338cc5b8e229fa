// read_time_types.cypher – of which types the times of a relationship type are, by its first 1 000.
// Params:  none; places: type, time.
// Returns: kinds :: LIST<STRING>, empty where none has the property.  Idempotent.  Needs: no index.
MATCH ()-[did:`<type>`]->()
WHERE did.`<time>` IS NOT NULL
WITH did LIMIT 1000
RETURN collect(DISTINCT valueType(did.`<time>`)) AS kinds
