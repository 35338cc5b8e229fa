// merge_nodes.cypher – writes one batch of nodes of a label, found by key; properties not named stay.
// Names:   <label>, <key>.
// Params:  $rows :: LIST<LIST> of [key, properties :: MAP] (at most 10 000).
// Returns: nothing.  Idempotent.  Needs: the uniqueness constraint on the key.
UNWIND $rows AS row
MERGE (n:`<label>` {`<key>`: row[0]})
SET n += row[1]
