"""The image is made for another processor."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "arch_mismatch",
    Trouble.CRASH,
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(r"exec format error|no match(?:ing manifest)? for (?:platform|linux/)[^\n]*", re.IGNORECASE),
        explanation="The image {image} of container {container} is made for another processor than the node's.",
        because="its image {image} does not run on the node's processor",
        advice="Name an image for the node's processor, or a nodeSelector kubernetes.io/arch that the image has",
        weight=85,
    ),
)
