"""Pages that the finder is trained on: pictures of handwritten digits in daily life, drawn in code. Knows no network.

`page.py` composes them from digits (`pens.py`), grounds (`grounds.py`), marks that are no digits (`marks.py`) and the
effects of light and camera (`camera.py`). All of them work on a `Canvas`.
"""

from training.data.pages.page import Page, Pages, draw_page, draw_pages

__all__ = ["Page", "Pages", "draw_page", "draw_pages"]
