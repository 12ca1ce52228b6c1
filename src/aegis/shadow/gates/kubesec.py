"""Does Kubesec score the fixed workload no worse than what it replaces, and never below the configured score?"""

from __future__ import annotations

from aegis.shadow.scanner_gate import ScannerGate

PLUGIN = ScannerGate(name="kubesec", order=2)
