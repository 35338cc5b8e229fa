// find_key_type.cypher – tells of which type the keys of a label are, by the first node that has one.
// Names:   <label>, <key>.
// Returns: type :: STRING, such as 'INTEGER NOT NULL'; no row when the label has no key yet.  Idempotent.
//          Needs: nothing.
MATCH (n:`<label>`)
WHERE n.`<key>` IS NOT NULL
RETURN valueType(n.`<key>`) AS type
LIMIT 1
