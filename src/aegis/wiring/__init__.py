"""The composition root: settings and what the command line says become a running system.

Nothing above knows which driver or store it works with; nothing below knows a setting.
"""

from aegis.wiring.places import Places, audit_log, automation_mode, places_of
from aegis.wiring.policies import actuator_rules, delivery_policy, falco_rules, links, trial_limits
from aegis.wiring.scanning import scan_desk, scan_rules, security_policy, security_rules
from aegis.wiring.system import System, connected

__all__ = [
    "Places",
    "System",
    "actuator_rules",
    "audit_log",
    "automation_mode",
    "connected",
    "delivery_policy",
    "falco_rules",
    "links",
    "places_of",
    "scan_desk",
    "scan_rules",
    "security_policy",
    "security_rules",
    "trial_limits",
]
