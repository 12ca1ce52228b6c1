"""The shared memory of the container is too small."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "shm",
    Saying(
        pattern=re.compile(
            r"No space left on device[^\n]*/dev/shm|/dev/shm[^\n]*(?:No space left|too small)|could not resize shared memory segment",
            re.IGNORECASE,
        ),
        explanation="The shared memory (/dev/shm, 64 MiB by default) of container {container} is too small: {line}",
        because="its /dev/shm is too small",
        advice="Mount an emptyDir with medium Memory at /dev/shm, within the memory limit",
        weight=52,
    ),
)
