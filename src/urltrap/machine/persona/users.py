"""The accounts that people made on the machine, with password hashes of the distribution's kind."""

from __future__ import annotations

from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.model import User
from urltrap.machine.persona.names import ADMINS, SERVICE_USERS


def yescrypt(dice: Dice, name: str) -> str:
    """A hash as Debian's yescrypt makes it (crypt(5): ``$y$j9T$SALT$HASH``); no password is behind it."""
    return f"$y$j9T${dice.crypt64('salt ' + name, 21)}{'./01'[dice.number('tail ' + name, 0, 3)]}$" + (
        dice.crypt64("hash " + name, 42) + "./01234567"[dice.number("end " + name, 0, 8)]
    )


def server_users(dice: Dice, installed: float, cloud: bool) -> tuple[User, ...]:
    """Root, an administrator, and often a service account; passwords were set at or after the installation."""
    day = int(installed // 86_400)
    admin = "debian" if cloud and dice.number("cloud default", 0, 2) == 0 else dice.choice("admin", ADMINS)
    users = [
        User(name="root", uid=0, gid=0, gecos="root", home="/root", login_shell="/bin/bash",
        password_hash=yescrypt(dice, "root"),
             password_day=day),
        User(name=admin, uid=1000, gid=1000, gecos="Debian" if admin == "debian" else f"{admin.capitalize()},,,",
             home=f"/home/{admin}", login_shell="/bin/bash",
             password_hash="!" if admin == "debian" else yescrypt(dice, admin),
             password_day=day, groups=("cdrom", "floppy", "sudo", "audio", "dip", "video", "plugdev", "users",
             "netdev")),
    ]  # fmt: skip
    if dice.number("service", 0, 2):
        name = dice.choice("service name", SERVICE_USERS)
        users.append(
            User(name=name, uid=1001, gid=1001, gecos=",,,", home=f"/home/{name}", login_shell="/bin/bash",
                 password_hash=yescrypt(dice, name), password_day=day + dice.number("later", 1, 15))
        )  # fmt: skip
    return tuple(users)
