// mutate_node_property_of_tier.cypher – as mutate_node_property, for an algorithm whose name has two parts.
// Params:  $name :: STRING, of the projection; $config :: MAP, of the algorithm, with mutateProperty.
// Names:   <tier>, as beta, and <procedure>.
// Returns: nodePropertiesWritten :: INTEGER.  Idempotent: no, the property must not exist.  Needs: GDS.
CALL gds.`<tier>`.`<procedure>`.mutate($name, $config) YIELD nodePropertiesWritten
RETURN nodePropertiesWritten
