"""The front page and the tour, carried out."""
