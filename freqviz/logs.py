"""A log for programs: one JSON object a line, in a file that is turned over before it grows large.

time (UTC), level, logger, message; `facts` given as `extra={"facts": {...}}` stand beside them, and an exception with
its stack under "stack". A visitor sees the id of a job or a fault, never its stack.
"""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

SIZE, OLD = 5 << 20, 4  # bytes of a file, and how many older ones are kept
_USUAL = ("time", "level", "logger", "message", "stack")


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        facts = getattr(record, "facts", {})
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in facts.items() if name not in _USUAL},
        }
        if record.exc_info:
            line["stack"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)  # ASCII: nothing in it ends a line


def begin(file: Path) -> None:
    """Write what freqviz logs to a file, or to the terminal where FREQVIZ_LOG is "-"; call it once, in a server.

    Args:
        file: of the log; FREQVIZ_LOG names another one.
    """
    wanted = os.environ.get("FREQVIZ_LOG", str(file))
    handler: logging.Handler
    if wanted == "-":
        handler = logging.StreamHandler(sys.stderr)
    else:
        Path(wanted).parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(wanted, maxBytes=SIZE, backupCount=OLD, encoding="utf-8", delay=True)
    handler.setFormatter(Lines())
    root = logging.getLogger("freqviz")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False  # else Streamlit would print each line again
