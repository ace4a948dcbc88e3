"""Speed and memory, measured; README.md says how."""

import freqviz  # noqa: F401 -- before PyTorch, as commands and the server have it
