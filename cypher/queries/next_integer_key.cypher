// next_integer_key.cypher – the key after the largest one, null where keys are not integers.
// Params:  none; places: source, key.
// Returns: next :: INTEGER.  Idempotent.  Needs: the index of the uniqueness constraint on the key makes it quick.
MATCH (user:`<source>`)
WHERE user.`<key>` IS :: INTEGER NOT NULL
RETURN max(user.`<key>`) + 1 AS next
