"""What serves every page: the sidebar, the box, runs and their results, and how a figure is shown."""

from freqviz.web.frame import scrubber
from freqviz.web.page import cursor, cursor_row, open_page, sentences, show
from freqviz.web.view import View

__all__ = ["View", "cursor", "cursor_row", "open_page", "scrubber", "sentences", "show"]
