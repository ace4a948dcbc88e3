"""See what video pose networks do in the frequency domain.

The public names load what they need when first used: learning works where no video library is installed.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import models as models
    from freqviz.analysis import load_analysis as load_analysis
    from freqviz.clip import Clip as Clip
    from freqviz.run import analyse as analyse
    from freqviz.run import predict as predict
    from freqviz.session import open_session as open_session
    from freqviz.session import save_session as save_session

# Between two operators of a network GNU's OpenMP waits with all processors at full load, and by default goes on for
# milliseconds after the last: whatever other threads compute then (cutting, measuring, drawing) takes twice as long.
# So many rounds outlast what lies between two operators. OpenMP looks when PyTorch is first imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
__all__ = ["Clip", "analyse", "load_analysis", "models", "open_session", "predict", "save_session"]

_HOMES = {
    "Clip": "freqviz.clip",
    "analyse": "freqviz.run",
    "load_analysis": "freqviz.analysis",
    "open_session": "freqviz.session",
    "predict": "freqviz.run",
    "save_session": "freqviz.session",
}


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("models")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'freqviz' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
