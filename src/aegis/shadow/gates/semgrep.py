"""Does Semgrep, by our own rules, find nothing in the fixed objects that is not in what they replace?"""

from __future__ import annotations

from aegis.shadow.scanner_gate import ScannerGate

PLUGIN = ScannerGate(name="semgrep", order=3)
