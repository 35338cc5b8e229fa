// create_key_constraint.cypher – makes the key of a label unique, and findable.
// Names:   <label>, <key>.
// Returns: nothing.  Idempotent.  Needs: no two nodes of the label with one key, no plain index on the key.
CREATE CONSTRAINT IF NOT EXISTS FOR (n:`<label>`) REQUIRE n.`<key>` IS UNIQUE
