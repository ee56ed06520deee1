"""One name a gene: what files call their genes, and what HGNC says of it."""
