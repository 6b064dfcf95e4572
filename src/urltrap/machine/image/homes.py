"""Home directories: dot files of the distribution, and the traces of people who work there."""

from __future__ import annotations

from urltrap.machine.image.logs import last_seen
from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona, User
from urltrap.machine.persona.dice import Dice

_ROOT_BASHRC = """\
# ~/.bashrc: executed by bash(1) for non-login shells.

# Note: PS1 and umask are already set in /etc/profile. You should not
# need this unless you want different defaults for root.
# PS1='${debian_chroot:+($debian_chroot)}\\h:\\w\\$ '
# umask 022

# You may uncomment the following lines if you want `ls' to be colorized:
# export LS_OPTIONS='--color=auto'
# eval "$(dircolors)"
# alias ls='ls $LS_OPTIONS'
# alias ll='ls $LS_OPTIONS -l'
# alias l='ls $LS_OPTIONS -lA'
#
# Some more alias to avoid making mistakes:
# alias rm='rm -i'
# alias cp='cp -i'
# alias mv='mv -i'
"""
_ROOT_PROFILE = """\
# ~/.profile: executed by Bourne-compatible login shells.

if [ "$BASH" ]; then
  if [ -f ~/.bashrc ]; then
    . ~/.bashrc
  fi
fi

mesg n 2> /dev/null || true
"""
_ADMIN_WORK = (
    "df -h", "free -m", "uptime", "htop", "top", "apt update", "apt upgrade -y", "apt install -y {package}",
    "systemctl status ssh", "systemctl restart ssh", "systemctl list-units --failed", "journalctl -u ssh -n 50",
    "journalctl -xe", "nano /etc/ssh/sshd_config", "vi /etc/network/interfaces", "ip a", "ip r", "ss -tlnp",
    "last | head",
    "w", "crontab -l", "crontab -e", "ls -la", "cd /opt", "cd /var/log", "tail -f /var/log/syslog",
    "du -sh /var/* | sort -h",
    "cat /etc/hosts", "nano /etc/hosts", "passwd {admin}", "adduser {admin}", "usermod -aG sudo {admin}",
    "su - {admin}",
    "reboot", "timedatectl set-timezone {zone}", "hostnamectl set-hostname {host}", "apt autoremove",
    "dpkg -l | grep {package}",
    "ping -c 3 {gateway}", "iptables -L -n", "exit", "ls", "cd", "history | tail -20", "chmod +x backup.sh",
    "./backup.sh",
    "nano backup.sh", "tar czf /root/etc-{host}.tgz /etc", "rsync -a /opt/ /var/backups/opt/",
    "cat /var/log/apt/history.log",
)  # fmt: skip
_USER_WORK = (
    "sudo -i", "sudo apt update", "ls -la", "cd ~", "cat .ssh/authorized_keys", "nano .bashrc", "df -h", "git pull",
    "ssh-keygen -t ed25519", "cd /opt/{project}", "ls", "./run.sh", "sudo systemctl restart {project}",
    "tail -f app.log",
    "sudo journalctl -u {project} -f", "exit", "screen -ls", "screen -r", "vi config.ini", "du -sh .",
    "curl -I http://localhost",
    "unzip release.zip", "rm -rf old", "mkdir -p backup", "cp -r current backup/", "sudo su",
)  # fmt: skip
_PACKAGES = ("htop", "tmux", "git", "rsync", "screen", "ncdu", "unzip", "dnsutils", "zip", "mtr-tiny")
_PROJECTS = (
    "billing",
    "exporter",
    "webapp",
    "reports",
    "collector",
    "intranet",
    "scheduler",
    "imports",
    "inventory",
)
_BACKUP = """\
#!/bin/sh
# nightly copy of what matters, kept for a week
set -e
dst=/var/backups/{host}
mkdir -p "$dst"
tar czf "$dst/etc-$(date +%F).tgz" /etc
[ -d /opt/{project} ] && tar czf "$dst/{project}-$(date +%F).tgz" /opt/{project}
find "$dst" -name '*.tgz' -mtime +7 -delete
"""


def apply_homes(tree: Tree, persona: Persona) -> None:
    """Write /root, /home/*, /opt and the crontab of root."""
    dice = Dice(bytes.fromhex(persona.fingerprint), "homes")
    project = dice.choice("project", _PROJECTS)
    admin = persona.users[1].name
    words = {
        "package": dice.choice("package", _PACKAGES), "admin": admin, "zone": persona.timezone,
        "host": persona.hostname,
        "gateway": persona.network.gateway, "project": project,
    }  # fmt: skip
    span = persona.boot_time - persona.installed
    before = persona.boot_time - span * dice.real("last", 0.01, 0.2)
    last = last_seen(persona, "root") or before
    tree.directory("/root", 0o700, mtime=last)
    tree.put("/root/.bashrc", _ROOT_BASHRC, mtime=1618_000_000)
    tree.put("/root/.profile", _ROOT_PROFILE, mtime=1562_650_000)
    tree.put(
        "/root/.bash_history", _history(dice.scoped("root"), _ADMIN_WORK, words, 60, 160), 0o600, mtime=last
    )
    tree.directory("/root/.ssh", 0o700, mtime=persona.installed + 3000)
    tree.put("/root/.ssh/authorized_keys", "", 0o600, mtime=persona.installed + 3000)
    tree.put("/root/backup.sh", _BACKUP.replace("{host}", persona.hostname).replace("{project}", project), 0o755,
             mtime=persona.installed + 86_400 * dice.real("backup", 1, 9))  # fmt: skip
    tree.directory("/home")
    skeleton = {name: tree.text(f"/etc/skel/{name}") for name in (".bashrc", ".profile", ".bash_logout")}
    for number, user in enumerate(persona.users[1:]):
        left = last_seen(persona, user.name) or before - 9000 * (number + 1)
        _home(tree, dice.scoped(user.name), user, skeleton, words, left)
    made = persona.installed + 86_400 * dice.real("opt", 1, 12)
    uid = persona.users[-1].uid
    tree.directory(f"/opt/{project}", uid=uid, gid=uid, mtime=made)
    tree.put(f"/opt/{project}/config.ini", _config(dice, project), 0o640, uid=uid, gid=uid, mtime=made + 600)
    tree.put(f"/opt/{project}/run.sh", f"#!/bin/sh\ncd /opt/{project}\nexec python3 main.py >> app.log 2>&1\n", 0o755,
    uid=uid,
             gid=uid, mtime=made + 620)  # fmt: skip


def _home(
    tree: Tree, dice: Dice, user: User, skeleton: dict[str, str], words: dict[str, str], last: float
) -> None:
    tree.directory(user.home, 0o700, uid=user.uid, gid=user.gid, mtime=last)
    for name, text in skeleton.items():
        tree.put(f"{user.home}/{name}", text, uid=user.uid, gid=user.gid)
    tree.put(f"{user.home}/.bash_history", _history(dice, _USER_WORK, words, 20, 70), 0o600, uid=user.uid, gid=user.gid,
             mtime=last)  # fmt: skip
    tree.directory(f"{user.home}/.ssh", 0o700, uid=user.uid, gid=user.gid, mtime=last - 86_400 * 9)


def _history(dice: Dice, pool: tuple[str, ...], words: dict[str, str], low: int, high: int) -> str:
    lines: list[str] = []
    for number in range(dice.number("length", low, high)):
        line = dice.choice(f"line {number}", pool).format(**words)
        if not lines or lines[-1] != line:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _config(dice: Dice, project: str) -> str:
    return (
        f"[{project}]\nlisten = 127.0.0.1:{dice.choice('port', (5000, 5050, 8000, 8080, 9000))}\n"
        f"workers = {dice.number('workers', 1, 4)}\n"
        f"log_level = {dice.choice('level', ('info', 'warning', 'debug'))}\n\n"
        f"[database]\npath = /opt/{project}/data.sqlite3\n"
    )
