"""Neo4j in, recommendations out: ingestion, projection, training, deployment.

The input/output half talks to Neo4j and GDS; the pure half trains and measures
and imports neither (held by ``tests/contract/test_imports.py``).
"""
