"""One privileged pod, written so that this or that reader does not see it.

`EVASIONS` gives for each variant its bytes; all are the same pod, under the name of the variant, but for those in
`REFUSED`, which mean two things and have to be refused. Measured on real scanners: each of the first group is overlooked
by at least one of trivy 0.74, kubesec 2.14 and semgrep 1.182 as it stands; the others are what follows from the same idea.
"""

from __future__ import annotations

import json

HARMLESS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: harmless\ndata:\n  a: b\n"


def _pod(name: str, flag: str = "true", extra: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n{extra}spec:\n  containers:\n    - name: app\n"
        f"      image: nginx:1.27\n      securityContext:\n        privileged: {flag}\n"
    )


def _indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


def _listed(name: str, kind: str, pod: str) -> str:
    return f"apiVersion: v1\nkind: {kind}\nitems:\n  -\n{_indented(pod, 4)}".replace("NAME", name)


_BARE = "metadata:\n  name: NAME\nspec:\n  containers:\n    - name: app\n      image: nginx:1.27\n      securityContext: {privileged: true}\n"
_SKIPS = "".join(
    f"    {key}: x\n"
    for key in ("checkov.io/skip1", "bridgecrew.io/skip1", "cortex.io/skip1", "kube-score/ignore", "ignore-check.kube-linter.io/privileged")
)  # fmt: skip

_TEXTS = {
    # measured
    "plain": _pod("plain"),
    "separator-comment": f"{HARMLESS}--- # c\n{_pod('separator-comment')}",
    "separator-blanks": f"{HARMLESS}---   \n{_pod('separator-blanks')}",
    "list": _listed("list", "List", _pod("NAME")),
    "directive": f"%YAML 1.1\n---\n{_pod('directive')}",
    "duplicate-key": _pod("duplicate-key") + "        privileged: false\n",
    "word-yes": _pod("word-yes", "yes"),
    "anchor": _pod("anchor", "&on true") + "      tty: *on\n",
    "alias": f"x-on: &on true\n{_pod('alias', '*on')}",
    "tag": _pod("tag", "!!bool 'true'"),
    "crlf": f"{HARMLESS}---\n{_pod('crlf')}".replace("\n", "\r\n"),
    "comment-for-semgrep": _pod("comment-for-semgrep", "true # nosemgrep"),
    "trivy-ignore": "# trivy:ignore:*\n#trivy:ignore:KSV-0017\n" + _pod("trivy-ignore", "true # trivy:ignore:KSV017"),
    "skip-annotations": _pod("skip-annotations", extra=f"  annotations:\n{_SKIPS}"),
    # of the same kind
    "typed-list": _listed("typed-list", "PodList", _BARE),
    "nested-list": _listed("nested-list", "List", _listed("nested-list", "List", _pod("NAME"))),
    "merge-key": "x-base: &base {privileged: true}\n" + _pod("merge-key").replace("privileged: true", "<<: *base"),
    "letter": _pod("letter", "y"),
    "json": json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "json"},
            "spec": {"containers": [{"name": "app", "image": "nginx:1.27", "securityContext": {"privileged": True}}]},
        },
        indent="\t",
    ),
    "comment-in-a-string": _pod(
        "comment-in-a-string", extra='  annotations:\n    note: "x #trivy:ignore:* # nosemgrep"\n    more: "a\\n# trivy:ignore:*\\n"\n'
    ),
    "twin-key": _pod("twin-key") + "        Privileged: false\n",
    "two-kinds": _pod("two-kinds") + 'kind: ConfigMap\n',
    "items-of-a-pod": _pod("items-of-a-pod") + "items: []\n",
    "merged-twice": f"x: &x {{privileged: true}}\n{_pod('merged-twice')}" + "        <<: *x\n        <<: {privileged: false}\n",
}  # fmt: skip

EVASIONS = {
    **{name: text.encode() for name, text in _TEXTS.items()},
    "byte-order-mark": ("\ufeff" + _pod("byte-order-mark")).encode(),
    "utf-16": _pod("utf-16").encode("utf-16"),
}
REFUSED = frozenset({"duplicate-key", "twin-key", "two-kinds", "items-of-a-pod", "merged-twice"})
SEEN = tuple(name for name in EVASIONS if name not in REFUSED)
