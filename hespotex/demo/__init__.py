"""A small synthetic HEST-1k folder with planted signals, for tests and for a first try."""

from hespotex.demo.build import make_demo

__all__ = ["make_demo"]
