"""A CronJob missed so many starts that it gave up."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "cronjob_missed",
    Trouble.JOB,
    meaning=Meaning(
        pattern=re.compile(r"too many missed start times?"),
        explanation="The CronJob missed more than 100 starts, so the controller makes no more Jobs of it.",
        because="it has no startingDeadlineSeconds and missed too many starts",
        advice="Set startingDeadlineSeconds, so that only recent starts count",
        weight=70,
    ),
)
