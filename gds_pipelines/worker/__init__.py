"""The worker: leases jobs of ``gnn.pipeline.train``, trains outside the database, deploys by rule.

``channel`` is the wire (two procedures), ``job`` what a lease says, ``heartbeat`` keeps the lease and
reports, ``training`` makes the model, and brings it back, ``loop`` goes from job to job.
"""
