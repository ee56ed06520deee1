"""What `python -m hespotex.doctor` looks at, part by part."""
