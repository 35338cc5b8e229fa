// Lineage: data, projection, pipeline, job, model, alias
MATCH (model:GnnModel)
CALL gnn.model.list() YIELD name, version, task
WHERE name = model.name AND version = model.version
OPTIONAL MATCH serving = (:GnnAlias)-[:POINTS_TO]->(model)
OPTIONAL MATCH made = (job:GnnJob)-[:MADE]->(model)
OPTIONAL MATCH read = (:GnnProjection)-[:READ_BY]->(job)
OPTIONAL MATCH asked = (:GnnPipeline)-[:TRAINED_BY]->(job)
CALL (task) {
  MATCH data = (:$(task.to))-[:$any(keys(task.via))]->(:$(task.recommend))
  RETURN data
  LIMIT 3
}
RETURN data, read, asked, made, serving, model
