"""`spatial-video`: the twin. Deformable multi-scale alignment and learned fusion, all in pixel space.

Ideas: Liu et al., DCPose, CVPR 2021 (neighbours re-sampled and fused); Liu et al., FAMI-Pose, CVPR 2022 (features
aligned from coarse to fine).
"""

from models.video import SpatialGuide, VideoNetwork


class SpatialVideo(VideoNetwork):
    """Five frames aligned, weighted and fused without looking at any spectrum."""

    def __init__(self) -> None:
        super().__init__(SpatialGuide())
