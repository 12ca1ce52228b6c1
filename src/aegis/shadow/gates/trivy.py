"""Does Trivy find nothing in the fixed workload's images and objects that is not in what they replace?"""

from __future__ import annotations

from aegis.shadow.scanner_gate import ScannerGate

PLUGIN = ScannerGate(name="trivy", order=4)
