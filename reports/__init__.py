"""Views of records: the matrix and what else is printed, written or cited."""
