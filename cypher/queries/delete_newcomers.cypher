// delete_newcomers.cypher – removes the users that earlier demos made up, with what they did.
// Params:  none.
// Returns: deleted :: INTEGER.  Idempotent.  Needs: nothing.
MATCH (user:GnnNewcomer)
DETACH DELETE user
RETURN count(*) AS deleted
