"""Measurements, by hand and never in tests: figures for the docs, as ratios of one run."""
