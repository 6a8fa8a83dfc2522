"""Whether a scanned file is opened: the operators' rules first, then the settings. Arithmetic only.

Scanners can be deceived, so this keeps out what somebody has decided to keep out; what keeps a
hostile file from doing harm is the sandbox.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

OPEN, QUARANTINE, REJECT = "open", "quarantine", "reject"
_GRAVITY = (OPEN, QUARANTINE, REJECT)
_OF_RULE = {"allow": OPEN, "quarantine": QUARANTINE, "deny": REJECT}
# As many as a report tells: of a longer list the rest is not known.
MOST_IMPORTS = 500
# More are not named to the reader.
MOST_NAMED = 5


class Rule(Protocol):
    pattern: str
    verdict: str  # allow, quarantine or deny
    note: str


@dataclass(frozen=True)
class Decision:
    """`verdict` is open, quarantine or reject; `code` and `reason` say why it is not opened."""

    verdict: str
    code: str = ""
    reason: str = ""


def decide(scan: Mapping[str, Any], rules: Sequence[Rule], policy: Mapping[str, str]) -> Decision:
    """What becomes of a file with this report; `policy` is a verdict by a finding's severity.

    A rule that names an import or a finding decides about it; the gravest decision holds.
    """
    by_rules = [_by_rule(name, rules) for name in _names(scan)]
    by_policy = [
        _by_policy(finding, policy)
        for finding in scan.get("findings", ())
        if rule_for(finding["what"], rules) is None
    ]
    decisions = [Decision(OPEN), *by_rules, *by_policy, _by_length(scan, rules)]
    gravest = max(_GRAVITY.index(one.verdict) for one in decisions)
    return _together([one for one in decisions if one.verdict == _GRAVITY[gravest]])


def rule_for(name: str, rules: Iterable[Rule]) -> Rule | None:
    """The rule with the longest pattern that fits; one without a star before one with it."""
    fitting = [rule for rule in rules if _fits(name, rule.pattern)]
    return max(fitting, key=lambda rule: (len(rule.pattern), rule.pattern == name), default=None)


def _fits(name: str, pattern: str) -> bool:
    if not pattern.endswith("*"):
        return name == pattern
    return name.startswith(pattern[:-1]) or name == pattern[:-2]


def _by_length(scan: Mapping[str, Any], rules: Iterable[Rule]) -> Decision:
    """What is cut off could be what a rule is about; no model imports so much."""
    is_cut = len(scan.get("imports", ())) >= MOST_IMPORTS
    if is_cut and any(_OF_RULE[rule.verdict] != OPEN for rule in rules):
        return Decision(QUARANTINE, "import_rule", f"It imports {MOST_IMPORTS} names or more.")
    return Decision(OPEN)


def _names(scan: Mapping[str, Any]) -> list[str]:
    found = [finding["what"] for finding in scan.get("findings", ())]
    return list(dict.fromkeys([*scan.get("imports", ()), *found]))


def _by_rule(name: str, rules: Sequence[Rule]) -> Decision:
    rule = rule_for(name, rules)
    verdict = _OF_RULE[rule.verdict] if rule else OPEN
    if verdict == OPEN:
        return Decision(OPEN)
    code, clause = _IN_WORDS[verdict]
    note = f" ({rule.note.rstrip('.')})" if rule.note else ""
    return Decision(verdict, code, f"It imports {name}, which {clause}{note}.")


_IN_WORDS = {
    QUARANTINE: ("import_rule", "the operators of this platform look at first"),
    REJECT: ("import_denied", "the operators of this platform do not allow"),
}


def _by_policy(finding: Mapping[str, Any], policy: Mapping[str, str]) -> Decision:
    verdict = policy.get(finding["severity"], OPEN)
    code = "hostile" if verdict == REJECT else "suspicious"
    return Decision(verdict, code, finding["detail"])


def _together(alike: Sequence[Decision]) -> Decision:
    """One decision with the reasons of all; the first one's code."""
    verdict = alike[0].verdict
    if verdict == OPEN:
        return alike[0]
    told = list(dict.fromkeys(one.reason for one in alike))
    more = f" And {len(told) - MOST_NAMED} more." if len(told) > MOST_NAMED else ""
    found = " ".join(told[:MOST_NAMED]) + more
    end = (
        "It has not been opened: an operator of this platform decides."
        if verdict == QUARANTINE
        else "A model does not need that, so it was not opened."
    )
    return Decision(verdict, alike[0].code, f"{found} {end}")
