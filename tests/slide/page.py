"""A viewer in a browser, driven as a user does."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hespotex.sections.section import Section

RIM = 0.96  # share of the canvas that the whole slide takes


class Page:
    """A viewer in a browser: its geometry worked out here, not by its script."""

    def __init__(self, page: Any, section: Section, path: Path) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        self.canvas = page.locator("#canvas")
        self.box = self.canvas.bounding_box()
        # CSS px per px of the slide
        self.scale = RIM * min(self.box["width"] / 640, self.box["height"] / 480)
        self.pos = section.pos_px
        self.settle()

    def settle(self) -> None:
        """Wait until it is drawn; on a phone a control that was used may have scrolled the slide
        away.
        """
        self.page.evaluate("scrollTo(0, 0)")
        self.page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def at(self, i: int) -> tuple[float, float]:
        """Where spot `i` is in the window as long as the whole slide is shown."""
        return self.window(*self.pos[i])

    def window(self, x: float, y: float) -> tuple[float, float]:
        """The same for a place of the slide, in full-resolution px."""
        middle = self.box["x"] + self.box["width"] / 2, self.box["y"] + self.box["height"] / 2
        return middle[0] + (x - 320) * self.scale, middle[1] + (y - 240) * self.scale

    def tip(self, where: tuple[float, float]) -> str | None:
        """What the page says of a place."""
        self.page.mouse.move(*where)
        self.settle()
        return self.page.inner_text("#tip") if self.page.is_visible("#tip") else None

    def colour(self, where: tuple[float, float]) -> list[int]:
        """RGB at a place of the window."""
        self.page.mouse.move(0, 0)  # away: a ring and a tip lie around a spot that is pointed at
        shot = self.page.screenshot(
            clip={"x": int(where[0]), "y": int(where[1]), "width": 1, "height": 1}
        )
        pixels = np.asarray(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR))
        return [int(v) for v in pixels[0, 0, ::-1]]

    def choose(self, name: str) -> None:
        names = "data.features.map(feature => feature.name)"
        self.page.select_option("#features", value=str(self.page.evaluate(names).index(name)))
        self.settle()
