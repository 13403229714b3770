"""Evaluation: metrics, benchmarks, published scores and reports."""
