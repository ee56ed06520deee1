"""The command line: start, words, endings."""
