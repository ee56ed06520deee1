"""A user's own package: one file for each thing that HESpotEx can be given, and nothing of HESpotEx
edited.
"""
