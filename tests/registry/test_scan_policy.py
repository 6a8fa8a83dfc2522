from dataclasses import dataclass

import pytest

from registry.scan_policy import Decision, decide, rule_for

DEFAULT = {"dangerous": "reject", "unknown": "open"}


@dataclass
class Rule:
    pattern: str
    verdict: str
    note: str = ""


def finding(what, severity="dangerous"):
    return {"severity": severity, "what": what, "at": 12, "detail": f"Loading would call {what}."}


def scan(*imports, findings=()):
    return {"format": "sklearn", "imports": list(imports), "findings": list(findings)}


def test_it_works():
    rules = [Rule("mypackage.*", "deny", "not on this platform.")]

    decision = decide(scan("sklearn.svm.SVC", "mypackage.secret.Model"), rules, DEFAULT)

    assert decision == Decision(
        "reject",
        "import_denied",
        "It imports mypackage.secret.Model, which the operators of this platform do not allow "
        "(not on this platform). A model does not need that, so it was not opened.",
    )


def test_an_ordinary_model_is_opened():
    assert decide(scan("sklearn.svm.SVC", "numpy.dtype"), [], DEFAULT) == Decision("open")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("posix.system", "posix.system"),
        ("posix.popen", "posix.*"),
        ("posix", "posix.*"),
        ("posixpath.join", "*"),
        ("a.b.c", "a.b.*"),
        ("a.bc", "a.*"),
    ],
)
def test_the_most_specific_rule_holds(name, pattern):
    rules = [Rule(p, "deny") for p in ("*", "a.*", "posix.*", "a.b.*", "posix.system")]

    assert rule_for(name, rules).pattern == pattern


def test_a_pattern_without_a_star_is_one_name():
    assert rule_for("posix.system", [Rule("posix", "deny")]) is None


@pytest.mark.parametrize(
    ("policy", "verdict", "code"),
    [
        ("reject", "reject", "hostile"),
        ("quarantine", "quarantine", "suspicious"),
        ("open", "open", ""),
    ],
)
def test_the_setting_decides_where_no_rule_does(policy, verdict, code):
    report = scan("posix.system", findings=[finding("posix.system")])

    decision = decide(report, [], {"dangerous": policy, "unknown": "open"})

    assert (decision.verdict, decision.code) == (verdict, code)


def test_a_rule_goes_before_the_setting():
    report = scan("posix.system", findings=[finding("posix.system")])

    assert decide(report, [Rule("posix.*", "allow")], DEFAULT).verdict == "open"
    assert decide(report, [Rule("posix.*", "quarantine")], DEFAULT).verdict == "quarantine"


def test_the_gravest_decision_holds():
    report = scan("a.x", "b.y", findings=[finding("c.z", "unknown")])
    rules = [Rule("a.*", "quarantine"), Rule("b.*", "deny")]

    assert decide(report, rules, DEFAULT).code == "import_denied"


def test_an_allow_list_is_a_rule_for_everything():
    rules = [Rule("*", "quarantine"), Rule("sklearn.*", "allow"), Rule("numpy.*", "allow")]

    assert decide(scan("sklearn.svm.SVC", "numpy.dtype"), rules, DEFAULT).verdict == "open"
    assert decide(scan("sklearn.svm.SVC", "torch.load"), rules, DEFAULT).verdict == "quarantine"


def test_many_reasons_are_counted():
    report = scan(findings=[finding(f"posix.f{i}") for i in range(8)])

    reason = decide(report, [], DEFAULT).reason

    assert reason.count("Loading would call") == 5
    assert "And 3 more." in reason
