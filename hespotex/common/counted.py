"""Numbers of things in words."""


def counted(n: int, thing: str) -> str:
    """`1 section`, `2 sections`.

    Args:
        thing: its singular, which takes an s.
    """
    return f"{n:d} {thing}" if n == 1 else f"{n:d} {thing}s"
