"""The networks of the project, by name."""

from models.freq_video import FreqVideo
from models.network import PoseNetwork
from models.spatial_frame import SpatialFrame
from models.spatial_video import SpatialVideo

NETWORKS: dict[str, type[PoseNetwork]] = {
    "spatial-frame": SpatialFrame,
    "spatial-video": SpatialVideo,
    "freq-video": FreqVideo,
}


def names() -> list[str]:
    """Every network, in the order of the tables."""
    return list(NETWORKS)


def build(name: str) -> PoseNetwork:
    """A network with random parameters."""
    if name not in NETWORKS:
        raise LookupError(f"no network named '{name}'; known networks: {', '.join(NETWORKS)}")
    return NETWORKS[name]()
