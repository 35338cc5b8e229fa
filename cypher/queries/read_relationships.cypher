// read_relationships.cypher – locks a batch of sources and reads the relationships of one type that they have already.
// Names:   <type>, <source>, <sourceKey>, <target>, <targetKey>.
// Params:  $sources :: LIST<ANY>, keys of sources.
// Returns: source :: ANY, existing :: LIST<LIST> of [target key, properties :: MAP]; no row for a source without.
//          Idempotent.  Needs: the uniqueness constraint on the key of the source.
UNWIND $sources AS source
MATCH (s:`<source>` {`<sourceKey>`: source})
// The value stays the same: this is how a transaction takes the write lock, so that nobody adds the same event meanwhile.
SET s.`<sourceKey>` = source
WITH s, source
MATCH (s)-[r:`<type>`]->(t:`<target>`)
RETURN source, collect([t.`<targetKey>`, properties(r)]) AS existing
