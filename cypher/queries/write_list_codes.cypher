// write_list_codes.cypher – writes the codes of a list of texts beside it; no list for a missing or empty one.
// Names:   <label>, <property>, <code>.
// Params:  $codes :: MAP, text in Unicode form NFC -> code; others get 1.
// Returns: written :: INTEGER, the nodes whose codes changed.  Idempotent.  Needs: a transaction of its own.
CYPHER 25
MATCH (n:`<label>`)
WITH n, [text IN n.`<property>` | coalesce($codes[normalize(text)], 1)] AS found
WITH n, CASE WHEN size(found) > 0 THEN found END AS codes
WHERE coalesce(n.`<code>` <> codes, n.`<code>` IS NOT NULL OR codes IS NOT NULL)
CALL (n, codes) {
  SET n.`<code>` = codes
} IN TRANSACTIONS OF 10000 ROWS
RETURN count(*) AS written
