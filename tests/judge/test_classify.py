from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from tests.judge.test_judge import ELF, HTML, NONE, NOW, SCRIPT, evidence, listed

from urltrap.analysis.elf import _MACHINES
from urltrap.judge import Label, judge, vocabularies
from urltrap.judge.mappings import HOSTINGS, LIFECYCLES, MAPPINGS, ROLES, STIX_ARCHITECTURES, Mapping
from urltrap.judge.techniques import COMMANDS, WRITTEN, of_logins, of_program, of_written
from urltrap.model.verdict import Action, Axes, Hosting, Lifecycle, Role, Verdict


def axes(**changes: Any) -> Axes:
    return judge(evidence(**changes), NOW, NONE).axes


def test_the_axes_come_each_from_their_own_evidence() -> None:
    bot = replace(ELF, family="Mirai", action="ddos-botnet", role="payload", rules=("mirai",))
    found = judge(
        evidence(
            payloads=(bot,), asked=True, run=True, protocols=("telnet",), clients=("busybox-wget",), port=8123,
            outcomes=("fetched",), first_online=NOW, last_online=NOW + timedelta(hours=2), techniques=("T1105",),
        ),
        NOW, NONE,
    )  # fmt: skip
    assert found.axes == Axes(
        action="ddos-botnet", role="payload", delivery="telnet busybox-wget", target="linux mips",
        hosting="raw-ip-odd-port", lifecycle="online", first_online=NOW, last_online=NOW + timedelta(hours=2),
    )  # fmt: skip
    assert (found.verdict, found.family, found.fp_risk, found.techniques) == (
        "malicious-confirmed",
        "Mirai",
        "low",
        ["T1105"],
    )


def test_what_nothing_speaks_for_is_unknown() -> None:
    assert axes(commanded=False) == Axes(hosting="raw-ip")


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"payloads": (replace(SCRIPT, action="cryptomining"),)}, "cryptomining"),
        ({"observations": (listed().model_copy(update={"tags": ["elf", "Mozi"]}),)}, "ddos-botnet"),
        ({"observations": (listed().model_copy(update={"provider": "openphish"}),)}, "phishing-fraud"),
        ({"labels": (Label("speed-test", "l"),)}, "bandwidth-test"),
        ({"run": True, "asked": True, "payloads": (ELF, replace(ELF, architecture="arm"))}, "ddos-botnet"),
        ({"payloads": (replace(ELF, action="no-such-action"),)}, "unknown"),
    ],
)
def test_the_action_is_told(changes: dict[str, Any], action: str) -> None:
    assert axes(**changes).action == action


@pytest.mark.parametrize(
    ("changes", "lifecycle"),
    [
        ({"outcomes": ("fetched",), "payloads": (ELF,)}, "online"),
        ({"outcomes": ("connect-failed",)}, "never-alive"),
        ({"outcomes": ("connect-failed", "fetched"), "last_online": NOW, "payloads": (ELF,)}, "offline"),
        ({"outcomes": ("not-found", "fetched"), "last_online": NOW, "payloads": (ELF,)}, "taken-down"),
        (
            {"outcomes": ("fetched",), "payloads": (replace(ELF, status=404),), "last_online": NOW},
            "taken-down",
        ),
        ({"outcomes": ("recorded", "limited")}, "unknown"),
        ({"outcomes": ("connect-failed",), "liveness": "taken-down"}, "taken-down"),
        ({"labels": (Label("sinkhole", "l"),), "outcomes": ("fetched",), "payloads": (HTML,)}, "sinkholed"),
    ],
)
def test_the_lifecycle_is_told(changes: dict[str, Any], lifecycle: str) -> None:
    assert axes(**changes).lifecycle == lifecycle


@pytest.mark.parametrize(
    ("changes", "hosting"),
    [
        ({"labels": (Label("paste", "l"), Label("cdn", "l"))}, "paste"),
        ({"host": "x.onion.ws", "url": "https://x.onion.ws/"}, "tor"),
        (
            {"host": "blog.example.com", "url": "https://blog.example.com/wp-content/x.php"},
            "compromised-site",
        ),
        ({"host": "login-secure-bank24.top", "url": "https://login-secure-bank24.top/"}, "disposable-domain"),
        ({"host": "example.com", "url": "https://example.com/"}, "site"),
    ],
)
def test_the_hosting_is_told(changes: dict[str, Any], hosting: str) -> None:
    base = {
        "raw_address": False,
        "scheme": "https",
        "port": 443,
        "host": "a.example",
        "url": "https://a.example/",
    }
    assert axes(**{**base, **changes}).hosting == hosting


AXES: dict[str, tuple[Any, dict[Any, Mapping]]] = {
    "action": (Action, MAPPINGS), "role": (Role, ROLES), "hosting": (Hosting, HOSTINGS),
    "lifecycle": (Lifecycle, LIFECYCLES),
}  # fmt: skip
TOLD = {
    *(rule.technique for rule in COMMANDS), *(technique for technique, _ in WRITTEN),
    *of_logins(3, 1), *of_logins(1, 1),
}  # fmt: skip


@pytest.mark.parametrize("axis", AXES)
def test_every_value_of_an_axis_has_its_words_elsewhere_or_says_why_it_has_none(axis: str) -> None:
    values, mappings = AXES[axis]
    assert set(mappings) == set(get_args(values))
    for value, mapping in mappings.items():
        named = mapping.stix_malware or mapping.stix_infrastructure not in ("", "unknown") or mapping.rsit
        assert bool(named or mapping.attack) != bool(mapping.without), value


@pytest.mark.parametrize("axis", AXES)
def test_the_words_of_others_are_theirs(axis: str) -> None:
    for mapping in AXES[axis][1].values():
        assert set(mapping.stix_malware) <= vocabularies.MALWARE_TYPES
        assert (
            not mapping.stix_infrastructure
            or mapping.stix_infrastructure in vocabularies.INFRASTRUCTURE_TYPES
        )
        kind, _, type_ = mapping.rsit.partition(":")
        assert not mapping.rsit or type_ in vocabularies.RSIT[kind]
        assert mapping.threatfox in vocabularies.THREATFOX_TYPES
        assert mapping.safe_browsing in vocabularies.SAFE_BROWSING_TYPES
        assert set(mapping.attack) <= set(vocabularies.ATTACK)


def test_every_technique_that_is_told_has_a_name_and_no_other_is_kept() -> None:
    mapped = {
        technique for _, mappings in AXES.values() for item in mappings.values() for technique in item.attack
    }
    assert set(vocabularies.ATTACK) == TOLD | mapped
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in vocabularies.ATTACK)


def test_architectures_are_those_of_stix() -> None:
    assert set(STIX_ARCHITECTURES.values()) == vocabularies.PROCESSOR_ARCHITECTURES
    assert set(STIX_ARCHITECTURES) <= set(_MACHINES.values())


def test_a_verdict_kept_by_an_older_version_is_still_read() -> None:
    old = {
        "url": "http://a/",
        "verdict": "suspicious",
        "confidence": 12,
        "reasons": [],
        "at": NOW,
        "rules": "1",
    }
    assert Verdict.model_validate(old).axes == Axes()


@pytest.mark.parametrize(
    ("argv", "technique"),
    [
        (["wget", "http://198.51.100.9/x"], "T1105"), (["/bin/busybox", "wget", "http://a/x"], "T1105"),
        (["tftp", "-g", "-r", "x", "198.51.100.9"], "T1105"), (["uname", "-a"], "T1082"),
        (["cat", "/proc/cpuinfo"], "T1082"), (["whoami"], "T1033"), (["ps", "aux"], "T1057"), (["ss", "-tnp"], "T1049"),
        (["ip", "a"], "T1016"), (["cat", "/etc/passwd"], "T1087.001"), (["cat", "/etc/shadow"], "T1003.008"),
        (["chattr", "-ia", "/root/.ssh"], "T1098.004"), (["crontab", "-l"], "T1053.003"),
        (["systemctl", "enable", "x"], "T1543.002"), (["chmod", "+x", "x"], "T1222.002"),
        (["rm", "-f", "x"], "T1070.004"),
        (["history", "-c"], "T1070.003"), (["base64", "-d"], "T1140"), (["pkill", "-9", "xmrig"], "T1489"),
        (["sudo", "iptables", "-F"], "T1562.004"), (["chpasswd"], "T1098"), (["useradd", "x"], "T1136.001"),
        (["/tmp/xmrig", "-o", "x"], "T1496"), (["ssh", "root@198.51.100.9"], "T1021.004"),
        (["rm", "-rf", "/"], "T1485"), (["nohup", "sh", "x"], "T1059.004"),
    ],
)  # fmt: skip
def test_programs_are_techniques(argv: list[str], technique: str) -> None:
    assert technique in of_program([word.encode() for word in argv])


@pytest.mark.parametrize(
    "argv", [["echo", "wget"], ["cat", "/etc/hostname2"], ["grep", "x", "wget.txt"], [], ["base64", "x"]]
)
def test_a_word_that_only_mentions_a_program_is_no_technique(argv: list[str]) -> None:
    assert not {"T1105", "T1140", "T1087.001"} & set(of_program([word.encode() for word in argv]))


def test_files_and_log_ins_are_techniques() -> None:
    assert of_written(b"/root/.ssh/authorized_keys")[0] == "T1098.004"
    assert of_written(b"/var/spool/cron/crontabs/root") == ["T1053.003"]
    assert of_written(b"/tmp/x") == []
    assert (of_logins(3, 1), of_logins(1, 1), of_logins(0, 0)) == (["T1110.001"], ["T1078"], [])
    assert all(
        re.fullmatch(r"T\d{4}(\.\d{3})?", item)
        for item in [*(r.technique for r in COMMANDS), *(t for t, _ in WRITTEN)]
    )
