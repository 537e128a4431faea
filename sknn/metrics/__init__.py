"""Measures of rankings within queries."""

from ._ranking import mean_average_precision, mean_reciprocal_rank, ndcg_by_query

__all__ = ["mean_average_precision", "mean_reciprocal_rank", "ndcg_by_query"]
