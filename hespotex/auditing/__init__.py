"""The leakage audit: what every fitted thing of a finished run has seen, derived anew from what the
run left.
"""
