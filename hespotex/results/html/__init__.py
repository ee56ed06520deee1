"""The report as one page that opens from disk: what was asked, tables, figures, maps, and where
they come from.
"""
