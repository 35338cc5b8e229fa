// read_relationship_keys.cypher – the properties of a relationship type, by its first 1 000 relationships.
// Params:  none; places: type.
// Returns: name :: STRING, ascending.  Idempotent.  Needs: no index.
MATCH ()-[did:`<type>`]->()
WITH did LIMIT 1000
UNWIND keys(did) AS name
RETURN DISTINCT name
ORDER BY name
