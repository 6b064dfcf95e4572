/*
  Bots that attackers of Linux machines and devices bring along. Written for urltrap, from what their sources and
  captured samples are publicly known to say. A rule needs several independent strings, so that a text about a bot, or
  a tool that shares one string with it, is no hit. Values XORed with one byte count as well (Mirai's table).
*/

rule mirai {
  meta:
    description = "Mirai and its forks: the scanner's dialogue with BusyBox, the killer and the attack table"
    family = "Mirai"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $shell_a = "/bin/busybox" xor(0x00-0xff)
    $shell_b = "applet not found" xor(0x00-0xff)
    $shell_c = "ncorrect" xor(0x01-0xff)
    $shell_d = "assword" xor(0x01-0xff)
    $watchdog_a = "/dev/watchdog" xor(0x00-0xff)
    $watchdog_b = "/dev/misc/watchdog" xor(0x00-0xff)
    $self_a = "/proc/self/exe" xor(0x00-0xff)
    $kill_a = "/proc/net/tcp" xor(0x00-0xff)
    $kill_b = "/fd/" xor(0x01-0xff)
    $up_a = "listening tun0" xor(0x00-0xff)
    $up_b = "dvrHelper" xor(0x00-0xff)
    $token_a = /\/bin\/busybox [A-Z]{4,10}\x00/
    $token_b = "TSource Engine Query" xor(0x00-0xff)
    $http_a = "Content-Length: num=1" xor(0x00-0xff)
  condition:
    uint32(0) == 0x464c457f and filesize < 4MB and (
      4 of ($shell_*, $self_*, $kill_*, $watchdog_*) and 1 of ($watchdog_*, $up_*, $token_*, $http_*)
      or 2 of ($up_*, $token_*) and 2 of ($shell_*, $self_*, $kill_*, $watchdog_*)
    )
}

rule mirai_source_words {
  meta:
    description = "functions of Mirai's source left in a binary that was not stripped"
    family = "Mirai"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $a = "attack_udp_vse" fullword
    $b = "attack_tcp_stomp" fullword
    $c = "attack_gre_ip" fullword
    $d = "attack_app_http" fullword
    $e = "table_unlock_val" fullword
    $f = "scanner_init" fullword
    $g = "killer_init" fullword
    $h = "attack_udp_plain" fullword
    $i = "ensure_single_instance" fullword
    $j = "resolve_cnc_addr" fullword
  condition:
    uint32(0) == 0x464c457f and filesize < 8MB and 3 of them
}

rule mozi {
  meta:
    description = "Mozi: a Mirai descendant that finds its peers by BitTorrent's DHT"
    family = "Mozi"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $name_a = "Mozi.m" fullword
    $name_b = "Mozi.a" fullword
    $dht_a = "dht.transmissionbt.com"
    $dht_b = "router.bittorrent.com"
    $dht_c = "bttracker.debian.org"
    $dht_d = "router.utorrent.com"
    $config_a = "[ss]"
    $config_b = "[/ss]"
    $config_c = "[hp]"
    $config_d = "[/hp]"
    $config_e = "[ver]"
  condition:
    uint32(0) == 0x464c457f and filesize < 4MB and
    (1 of ($name_*) and 1 of ($dht_*) or 2 of ($dht_*) and 2 of ($config_*) or 4 of ($config_*))
}

rule gafgyt {
  meta:
    description = "Gafgyt (Bashlite): a bot commanded in plain text"
    family = "Bashlite"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $command_a = "GETLOCALIP" fullword
    $command_b = "LOLNOGTFO" fullword
    $command_c = "KILLATTK" fullword
    $command_d = "HTTPFLOOD" fullword
    $command_e = "SCANNER ON" nocase
    $command_f = "TELNET SCANNER" nocase
    $command_g = "JUNK" fullword
    $command_h = "HOLD" fullword
    $answer_a = "My IP: %s"
    $answer_b = "BOGOMIPS" fullword
    $answer_c = "REPORT %s:%s:%s"
    $answer_d = "BUILD %s"
    $answer_e = /Killed %d\.?\x00/
    $answer_f = "None Killed."
    $answer_g = "[Shelling]-->["
    $flood_a = "UDP Flooding %s for %d seconds"
    $flood_b = "TCP Flooding %s for %d seconds"
    $flood_c = "Junk Flooding %s:%d for %d seconds"
    $flood_d = "Hold Flooding %s:%d for %d seconds"
    $flood_e = "sendSTD" fullword
    $flood_f = "sendHTTP" fullword
    $flood_g = "sendJUNK" fullword
    $flood_h = "sendHOLD" fullword
    $flood_i = "processCmd" fullword
    $flood_j = "StartTheLelz" fullword
  condition:
    uint32(0) == 0x464c457f and filesize < 4MB and (
      3 of ($command_*) and 1 of ($answer_*, $flood_*)
      or 3 of ($answer_*) or 3 of ($flood_*)
    )
}

rule tsunami {
  meta:
    description = "Tsunami (Kaiten): a bot that takes orders on IRC"
    family = "Tsunami"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $help_a = "NOTICE %s :TSUNAMI <target> <secs>"
    $help_b = "NOTICE %s :PAN <target> <port> <secs>"
    $help_c = "NOTICE %s :UNKNOWN <target> <secs>"
    $help_d = "NOTICE %s :GETSPOOFS"
    $help_e = "NOTICE %s :SPOOFS <subnet>"
    $help_f = "NOTICE %s :KILLALL"
    $help_g = "NOTICE %s :Kaiten wa goraku" nocase
    $help_h = "NOTICE %s :GET <http address> <save as>"
    $help_i = "NOTICE %s :Removed all spoofs"
    $help_j = "NOTICE %s :Unable to comply."
    $help_k = "NOTICE %s :Tsunami heading for %s." nocase
    $irc_a = "NICK %s\nUSER %s localhost localhost :%s"
    $irc_b = "PRIVMSG %s :"
    $irc_c = "MODE %s -xi"
    $irc_d = "JOIN %s :%s"
  condition:
    filesize < 4MB and (3 of ($help_*) or 1 of ($help_*) and 2 of ($irc_*))
}

rule xorddos {
  meta:
    description = "XorDDoS: a bot whose strings are XORed with a fixed key and that lives in cron.hourly"
    family = "XOR DDoS"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $key = "BB2FA36AAA9541F0"
    $cron_a = "/etc/cron.hourly/gcc.sh"
    $cron_b = "/etc/cron.hourly/gcc4.sh"
    $cron_c = "/etc/cron.hourly/udev.sh"
    $cron_d = "/etc/cron.hourly/cron.sh"
    $up = "for i in `cat /proc/net/dev|grep :|awk -F: {'print $1'}`; do ifconfig $i up& done"
    $lib_a = "/lib/libudev.so.6"
    $lib_b = "/lib/libudev4.so"
    $lib_c = "/lib/udev/udev"
    $words_a = "denyip=" fullword
    $words_b = "filename=" fullword
    $words_c = "rmfile=" fullword
    $words_d = "--del" fullword
  condition:
    filesize < 8MB and (
      $key and 1 of ($cron_*, $lib_*, $up, $words_*)
      or $up and 1 of ($cron_*, $lib_*)
      or 1 of ($cron_*) and 1 of ($lib_*) and 2 of ($words_*)
    )
}

rule hajime {
  meta:
    description = "Hajime: a worm that finds its peers by BitTorrent's DHT"
    family = "Hajime"
    action = "worm-spreader"
    role = "payload"
  strings:
    $a = "atk.mipseb"
    $b = "atk.arm5"
    $c = "Just a white hat, securing some systems."
    $d = "Important messages will be signed like this!"
    $e = "Stay sharp!"
    $f = "router.utorrent.com"
  condition:
    filesize < 4MB and (($c and 1 of ($d, $e)) or (1 of ($a, $b) and $f))
}
