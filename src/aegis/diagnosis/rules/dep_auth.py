"""A dependency does not accept the credentials."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "dep_auth",
    Saying(
        pattern=re.compile(
            r"WRONGPASS|NOAUTH|Access denied for user|(?:password )?authentication failed|SCRAM authentication|invalid (?:username or password|credentials)|Login failed for user",
            re.IGNORECASE,
        ),
        explanation="What container {container} depends on does not accept its credentials: {line}",
        because="its credentials are not accepted: {line}",
        advice="Compare the Secret with the account of the dependency; restart the pods if the Secret is newer than they are",
        weight=50,
    ),
)
