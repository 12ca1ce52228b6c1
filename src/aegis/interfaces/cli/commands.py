"""Which commands there are, and the text of `aegis --help`: imports nothing, so that the help is there at once."""

from __future__ import annotations

from typing import Final

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "Watch incidents being found, tried, approved and mended on a throw-away cluster"),
    "local": ("local", "The embedded local cluster: up, down, status, kubeconfig, images"),
    "analyze": ("analyze", "What is wrong, what must change, and which lines say so; read-only"),
    "fix": ("fix", "Analyze, try the fix in a shadow, ask, apply, watch; or roll back"),
    "incident": ("incident", "What is open, half done or over: list, show, watch, approve, reject"),
    "shadow": ("shadow", "Isolated copies of a workload: create, list, status, wait, verify, delete"),
    "scan": ("scan", "Manifests, images, folders, URLs, what pods did: every scanner, with proof of what it covered"),
    "alerts": ("alerts", "Falco's alerts: list, watch, import; of files, pods, log services"),
    "triage": ("triage", "What Falco's alerts mean: group, judge, mend as narrowly as can be, prove; verify"),
    "rules": ("rules", "The Falco language: lint, fmt, list, eval, replay, except"),
    "audit": ("audit", "The tamper-evident log: tail, verify, export"),
    "mode": ("mode", "The automation's own kill switch: show, set"),
    "doctor": ("doctor", "What is installed, reachable, permitted and enforced, each with its remedy"),
    "config": ("config", "The effective settings and where each came from"),
    "completion": ("completion", "The completion script of a shell: bash, zsh, fish"),
    "version": ("version", "The version"),
}
"""Each command's module in this package, and its line in the help."""

GLOBAL_OPTIONS: Final[tuple[tuple[str, str], ...]] = (
    ("-o, --output table|json|yaml", "how the result is printed (default table)"),
    ("--output-file FILE", "where to, instead of stdout"),
    ("-n, --namespace NAME", "the namespace (default: the context's, else default)"),
    ("-A, --all-namespaces", "every namespace"),
    ("--context NAME", "the context of the kubeconfig"),
    ("--kubeconfig FILE", "the kubeconfig (default: as kubectl finds it)"),
    ("--as USER", "impersonate this user"),
    ("--config FILE", "the file of settings"),
    ("-q, --quiet", "no progress"),
    ("-v, --verbose", "more on stderr; twice: tracebacks too"),
    ("-y, --yes", "answer yes where that is allowed (never for high risk)"),
    ("--no-color", "no colours (as NO_COLOR does)"),
    ("--timeout TIME", "give up after so long: 30, 30s, 5m, 1h"),
)

_INTRODUCTION = """\
Usage: aegis COMMAND [OPTIONS] [ARGUMENTS]

No fix reaches a Kubernetes cluster unverified: AEGIS finds the root cause, tries the fix in an
isolated shadow (first red, then green), asks you, applies exactly what was tried, and watches.

Examples:
  aegis demo                             see it happen, on a cluster that is thrown away
  aegis analyze deploy/web -n shop       what is wrong?
  aegis fix deploy/web -n shop           try, ask, apply, watch
  aegis analyze --from evidence/         the same from recorded evidence, without a cluster
"""

_FOOT = """\
Exit status: 0 done · 1 the answer is no · 2 wrong usage · 3 inconclusive · 4 refused ·
69 unavailable · 70 a defect of AEGIS · 77 no permission · 130 interrupted
`aegis COMMAND --help` says more, with examples."""


def root_help() -> str:
    """What `aegis --help` prints."""
    width = max(len(name) for name in COMMANDS)
    commands = [f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    wide = max(len(spelling) for spelling, _ in GLOBAL_OPTIONS)
    options = [f"  {spelling:<{wide}}  {meaning}" for spelling, meaning in GLOBAL_OPTIONS]
    return "\n".join([_INTRODUCTION, "Commands:", *commands, "", "Options of every command:", *options, "", _FOOT])
