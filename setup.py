"""Puts `conf/`, which lies beside the package in a checkout, into the wheel as `hespotex/conf`; the
rest: pyproject.toml.
"""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConf(build_py):
    """What is built, and the configs with it; an editable install finds them where they are."""

    def run(self) -> None:
        """Build the package, then copy `conf/` into it."""
        super().run()
        if not self.editable_mode:
            own = ignore_patterns("local")  # a user's own defaults, ignored by git
            copytree(
                "conf", Path(self.build_lib) / "hespotex" / "conf", ignore=own, dirs_exist_ok=True
            )


setup(cmdclass={"build_py": WithConf})
