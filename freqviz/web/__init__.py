"""What serves every page: the sidebar, the box, runs and their results, and how a figure is shown."""

from freqviz.web.frame import scrubber
from freqviz.web.inside import Inside, choose_joint, choose_point, median_offsets
from freqviz.web.page import cursor, cursor_row, open_page, sentences, show
from freqviz.web.recipe import copies, explain, formula, table
from freqviz.web.sides import Sides
from freqviz.web.tested import Tested
from freqviz.web.view import View
from freqviz.web.weights import Weights

__all__ = [
    "Inside",
    "Sides",
    "Tested",
    "View",
    "Weights",
    "choose_joint",
    "choose_point",
    "copies",
    "cursor",
    "cursor_row",
    "explain",
    "formula",
    "median_offsets",
    "open_page",
    "scrubber",
    "sentences",
    "show",
    "table",
]
