// Lineage: data, projection, pipeline, job, model, alias
MATCH (model:GnnModel)
CALL gnn.model.list() YIELD name, version, task
WHERE name = model.name AND version = model.version
OPTIONAL MATCH serving = (:GnnAlias)-[:POINTS_TO]->(model)
OPTIONAL MATCH trained = (:GnnPipeline)-[:TRAINED_BY]->(job:GnnJob)-[:MADE]->(model)
CALL (task) {
  MATCH data = (:$(task.to))-[:$any(keys(task.via))]->(:$(task.recommend))
  RETURN data
  LIMIT 3
}
RETURN data, coalesce(job.graphName, 'made by the worker') AS projection, trained, serving, model
