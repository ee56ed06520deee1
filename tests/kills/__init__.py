"""Commands that are killed anywhere, and given again: `python -m tests.kills` by night, a few of
them in `make test`.
"""
