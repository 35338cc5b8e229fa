// mutate_node_property.cypher – one of GDS's algorithms in mode mutate, on a projection of the signed-in user.
// Params:  $name :: STRING, of the projection; $config :: MAP, of the algorithm, with mutateProperty.
// Names:   <procedure>, as fastRP or pageRank.
// Returns: nodePropertiesWritten :: INTEGER.  Idempotent: no, the property must not exist.  Needs: GDS.
CALL gds.`<procedure>`.mutate($name, $config) YIELD nodePropertiesWritten
RETURN nodePropertiesWritten
