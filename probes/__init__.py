"""Probes: one file a family, each a table of instruction forms beside their oracles. What we ask."""
