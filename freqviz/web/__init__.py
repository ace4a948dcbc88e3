"""What serves every page: the sidebar, the box, runs and their results, and how a figure is shown."""

from freqviz.web.frame import cursor
from freqviz.web.page import open_page, sentences, show
from freqviz.web.view import View

__all__ = ["View", "cursor", "open_page", "sentences", "show"]
