"""The embedded Neo4j: its jars, its settings, its process."""
