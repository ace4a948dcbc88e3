"""`freq-motion-distilled`: what `freq-motion` knows of motion, learned by a network that has no stream of motion.

The teacher looks at motion in training only. The student's features are made to tell those of the teacher (variational
bound of their mutual information) and its stream of motion (consistency between appearance and motion); see
freqviz/learn/distill.py. The same student without a teacher is the variant "alone".
Ideas: Ahn et al., Variational Information Distillation, CVPR 2019; Hinton et al., 2015; Feng et al., TDMI, CVPR 2023.
"""

from models.motion import TwoStreams


class FreqMotionDistilled(TwoStreams):
    """Appearance with the space-time module alone: the cost of the twin and a little."""

    def __init__(self) -> None:
        super().__init__(None)
