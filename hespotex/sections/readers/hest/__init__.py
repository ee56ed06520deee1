"""HEST-1k and the HEST-Benchmark bundle."""
