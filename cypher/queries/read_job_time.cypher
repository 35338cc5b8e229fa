// read_job_time.cypher – when a training job was submitted.
// Params:  $id :: STRING.
// Returns: at :: INTEGER, epoch milliseconds; no row where there is no such job.  Idempotent.
// Needs: an index on GnnJob(id), which the plugin makes.
MATCH (job:GnnJob {id: $id})
RETURN job.submittedAt AS at
