"""Workers that are killed: what becomes of their jobs."""
