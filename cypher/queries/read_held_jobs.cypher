// read_held_jobs.cypher – the jobs that some worker holds a lease of at this moment.
// Params:  none.
// Returns: id :: STRING.  Idempotent.  Needs: nothing; jobs are few.
MATCH (job:GnnJob)
WHERE job.status IN ['RUNNING', 'CANCELING'] AND job.leaseUntil > datetime().epochMillis
RETURN job.id AS id
