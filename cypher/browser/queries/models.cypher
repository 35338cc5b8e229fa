// Models and aliases
MATCH (model:GnnModel)
OPTIONAL MATCH (alias:GnnAlias)-[:POINTS_TO]->(model)
RETURN model.name AS name, model.version AS version, model.state AS state, collect(alias.name) AS aliases,
       model.contract AS contract, datetime({epochMillis: model.createdAt}) AS created
ORDER BY name, version DESC
