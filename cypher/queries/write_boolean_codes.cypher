// write_boolean_codes.cypher – writes 0 or 1 beside a truth value; nothing where it is missing.
// Names:   <label>, <property>, <code>.
// Returns: written :: INTEGER, the nodes whose code changed.  Idempotent.  Needs: a transaction of its own.
CYPHER 25
MATCH (n:`<label>`)
WITH n, CASE n.`<property>` WHEN true THEN 1 WHEN false THEN 0 END AS code
WHERE coalesce(n.`<code>` <> code, n.`<code>` IS NOT NULL OR code IS NOT NULL)
CALL (n, code) {
  SET n.`<code>` = code
} IN TRANSACTIONS OF 10000 ROWS
RETURN count(*) AS written
