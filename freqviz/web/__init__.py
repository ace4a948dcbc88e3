"""What serves every page: the sidebar, the box, runs and their results, and how a figure is shown."""

from freqviz.web.page import cursor, cursor_row, open_page, sentences, show
from freqviz.web.recipe import copies, explain, formula, table
from freqviz.web.view import View

__all__ = ["View", "copies", "cursor", "cursor_row", "explain", "formula", "open_page", "sentences", "show", "table"]
