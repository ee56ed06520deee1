"""What the numbers of a target are, in words."""

LOG_COUNTS = "log1p of counts"
RESIDUAL = "Pearson residual"


def log_unit(target_sum: float, library: str) -> str:
    """Of log1p of counts that are scaled to a library of `target_sum` counts over "all" genes, or
    over the "panel".
    """
    of = "" if library == "all" else f" of the {library}"
    return f"{LOG_COUNTS} per {target_sum:,.10g}{of}"
