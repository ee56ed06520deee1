"""What every reader asks of counts, spots and images."""
