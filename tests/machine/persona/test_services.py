"""What a sensor offers is what the machine says it offers."""

from __future__ import annotations

import re

from tests.machine.programs.support import NOW, Box, installation

from urltrap.machine.api import Connection
from urltrap.machine.machine import Machine
from urltrap.machine.persona import with_telnet
from urltrap.sensors.emulated import load_base_image


def machine() -> Machine:
    persona = with_telnet(installation("debian-12")[0])
    return Machine(
        load_base_image(persona, {}), persona, entropy=lambda below: 3 % below, boot_time=NOW - 90_000
    )


def box_with_telnet() -> Box:
    box = Box()
    box.machine = machine()
    visitor = Connection("telnet", "198.51.100.23", 40_001, "203.0.113.5", 2323, "root", NOW)
    box.login = box.machine.login("root", visitor, NOW)
    return box


def test_the_ports_of_both_sensors_are_shown_as_the_services_own() -> None:
    box = box_with_telnet()
    listening = box.run("ss -tlnp").out.decode()
    assert re.search(r"LISTEN .* 0\.0\.0\.0:22 .*\(\(\"sshd\",pid=\d+,fd=3\)\)", listening)
    assert re.search(r"LISTEN .* 0\.0\.0\.0:23 .*\(\(\"inetd\",pid=\d+,fd=4\)\)", listening)
    shown = box.run("netstat -tlnp").out.decode()
    assert re.search(r"0\.0\.0\.0:22 +0\.0\.0\.0:\* +LISTEN +\d+/sshd", shown)
    assert re.search(r"0\.0\.0\.0:23 +0\.0\.0\.0:\* +LISTEN +\d+/inetd", shown)
    assert "2323" not in listening + shown and "2222" not in listening + shown


def test_a_telnet_visitor_finds_himself_behind_telnetd_and_login() -> None:
    box = box_with_telnet()
    tree = box.run("ps -eo pid,ppid,args").out.decode()
    daemon = re.search(r"^ *(\d+) +(\d+) in\.telnetd: 198\.51\.100\.23$", tree, re.M)
    login = re.search(r"^ *(\d+) +(\d+) login -h 198\.51\.100\.23 -p$", tree, re.M)
    assert daemon is not None and login is not None and login[2] == daemon[1]
    assert re.search(rf"^ *{daemon[2]} +1 /usr/sbin/inetd$", tree, re.M)
    assert int(box.run("echo $PPID").out) == int(login[1])
    established = box.run("ss -tnp").out.decode()
    assert re.search(rf":23 +198\.51\.100\.23:40001 .*\"telnetd\",pid={daemon[1]}", established)
    assert box.run("cat /etc/inetd.conf | grep -c ^telnet; ls /usr/sbin/inetd").out == b"1\n/usr/sbin/inetd\n"


def test_a_device_listens_anyway_and_a_server_only_where_the_sensor_does() -> None:
    device = installation("busybox-mips")[0]
    assert with_telnet(device) is device
    assert b":23 " not in Box().run("ss -tln").out
    again = with_telnet(with_telnet(installation("debian-12")[0]))
    assert [each.port for each in again.listeners].count(23) == 1
