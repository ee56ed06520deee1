"""Networks and closed forms in plain torch."""
