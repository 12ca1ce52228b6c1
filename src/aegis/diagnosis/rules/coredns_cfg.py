"""The cluster's own DNS is told not to know the names of the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.graph import Node
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import mapping, text
from aegis.diagnosis.said import UNRESOLVED, first_said
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence

_DENIES = re.compile(
    r"^\s*template\s+\S+\s+\S+[^\n]*(?:cluster\.local|\.svc)[^{\n]*\{[^}]*rcode\s+(?:NXDOMAIN|REFUSED|SERVFAIL)",
    re.MULTILINE,
)
_REWRITES = re.compile(r"^\s*rewrite\s[^\n]*(?:svc\.)?cluster\.local[^\n]*", re.MULTILINE)
_NAMES = ("coredns", "coredns-custom", "kube-dns")


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """A name inside the cluster does not resolve, and the Corefile says why."""
    told = first_said(case, symptom, UNRESOLVED)
    for config, line in _faults(case) if told else ():
        assert told is not None  # noqa: S101 - the loop has nothing to go over otherwise
        yield Hypothesis(
            cause="coredns_cfg",
            root=config.ref,
            certainty=Confidence.LIKELY,
            explanation=f"Names of the cluster do not resolve: the Corefile in ConfigMap {config.ref.name} says {line!r}.",
            because=f"it holds {line!r}",
            citations=(cite(config, f"data.Corefile: {line}"), cite(told.source, told.line)),
            fixes=(
                human_fix(
                    "restore-corefile",
                    f"Take {line!r} out of the Corefile; every workload depends on it",
                    risk=Risk.HIGH,
                ),
            ),
            weight=75,
        )


def _faults(case: Case) -> Iterator[tuple[Node, str]]:
    for name in _NAMES:
        config = case.graph.get("ConfigMap", "kube-system", name)
        for value in mapping(config.obj.get("data")).values() if config else ():
            found = _DENIES.search(text(value)) or _REWRITES.search(text(value))
            if config and found:
                yield config, " ".join(found[0].split())[:200]


PLUGIN = rule("coredns_cfg", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT)
