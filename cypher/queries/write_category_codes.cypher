// write_category_codes.cypher – writes the code of a text beside it: 0 missing, 1 unknown, else as $codes says.
// Names:   <label>, <property>, <code>.
// Params:  $codes :: MAP, text in Unicode form NFC -> code.
// Returns: written :: INTEGER, the nodes whose code changed.  Idempotent.  Needs: a transaction of its own.
CYPHER 25
MATCH (n:`<label>`)
WITH n, CASE WHEN n.`<property>` IS NULL THEN 0 ELSE coalesce($codes[normalize(n.`<property>`)], 1) END AS code
WHERE coalesce(n.`<code>` <> code, true)
CALL (n, code) {
  SET n.`<code>` = code
} IN TRANSACTIONS OF 10000 ROWS
RETURN count(*) AS written
