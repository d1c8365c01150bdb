"""The page: the capability matrix of any records as one self-contained HTML file."""
