"""What serves every page: the sidebar, the box, runs and their results, and how a figure is shown."""

from freqviz.web.cursors import cursor, cursor_row
from freqviz.web.export import arrange, choose_paper, drawn, exports, offer_sheet
from freqviz.web.first import First
from freqviz.web.frame import scrubber
from freqviz.web.inside import Inside, choose_joint, choose_point, median_offsets
from freqviz.web.page import offer, open_page, open_shelf, sentences, show
from freqviz.web.paperwork import Paperwork
from freqviz.web.recipe import copies, explain, formula, table
from freqviz.web.sides import Sides
from freqviz.web.tested import Tested
from freqviz.web.view import View
from freqviz.web.weights import Weights

__all__ = [
    "First",
    "Inside",
    "Paperwork",
    "Sides",
    "Tested",
    "View",
    "Weights",
    "arrange",
    "choose_paper",
    "choose_joint",
    "choose_point",
    "copies",
    "cursor",
    "cursor_row",
    "drawn",
    "explain",
    "exports",
    "formula",
    "median_offsets",
    "offer",
    "offer_sheet",
    "open_page",
    "open_shelf",
    "scrubber",
    "sentences",
    "show",
    "table",
]
