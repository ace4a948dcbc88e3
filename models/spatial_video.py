"""`spatial-video`: the twin. Deformable multi-scale alignment and learned fusion, all in pixel space."""

from models.video import SpatialGuide, VideoNetwork


class SpatialVideo(VideoNetwork):
    """Five frames aligned, weighted and fused without looking at any spectrum."""

    def __init__(self) -> None:
        super().__init__(SpatialGuide())
