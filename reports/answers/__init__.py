"""What the field claims, held against records: confirmed, refuted or open, at which level of evidence."""
