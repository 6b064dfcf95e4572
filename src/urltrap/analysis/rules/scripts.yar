/* Scripts that fetch and start what they fetch, keys planted for a way back in, and web shells. Written for urltrap. */

rule shell_dropper {
  meta:
    description = "a shell script that fetches a file, makes it run, and runs it"
    family = ""
    action = ""
    role = "dropper-script"
  strings:
    $fetch_a = /\b(wget|curl|fetch|lwp-download)\s[^\n]{0,300}(https?|ftp):\/\/[^\s'"]{4,300}/
    $fetch_b = /\b(tftp|ftpget)\s[^\n]{4,200}/
    $fetch_c = /\b(wget|curl)\s[^\n]{0,120}[$][\w{(]/
    $fetch_d = /\b(wget|curl)\s+(-\S+\s+){0,6}\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}[\/:]/
    $fetch_e = /\/dev\/tcp\/[\w.$-]{4,80}\/\d{1,5}/
    $fetch_f = /\/bin\/busybox\s+(wget|tftp|ftpget)\s/
    $fetch_g = /\b(wget|curl|fetch)\s+(-\S+\s+){0,6}[\w-]{1,40}(\.[\w-]{1,40}){1,4}\/[\w.\/-]{1,80}/
    $mode_a = /\bchmod\s+(-\w+\s+)?(0?[0-7]?[1357][0-7]{2}|0?7[0-7]{2}|[ugoa]{0,4}\+[rwX]{0,2}x)/
    $run_a = /(^|[;&|\n(])\s{0,40}\.\/[\w.$*{-]{1,80}/
    $run_b = /\|\s{0,4}(sudo\s+)?(ba|da|a)?sh\b/
    $run_c = /(^|[;&|\n])\s{0,40}((ba|da|a)?sh|nohup|perl|python\d?)\s+[.\/\w-]{1,80}/
    $run_d = /(^|[;&|\n])\s{0,40}(\/tmp|\/var\/tmp|\/dev\/shm|\/var\/run)\/[\w.-]{1,60}/
    $run_e = /(^|[;&|\n])\s{0,40}(nohup\s+)?\$\{?\w{1,30}\}?(\/[\w.$-]{1,60})?\s{0,4}([&;|>\n]|$)/
    $run_f = /\bchmod\s+(-\w+\s+)?\S{1,12}\s+[^\n;&|]{1,200}\s\.\/[\w.-]{1,80}/
    $run_g = /\btar\s+-?[xvzjf]{2,6}\s/
    $perl = /\b(perl|python\d?|sh|bash)\s+[\w.-]{1,60}\.(txt|sh|pl|py)\b/
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and uint16(0) != 0x5a4d and uint8(0) != 0x3c and
    1 of ($fetch_*) and (
      $mode_a and 1 of ($run_*)
      or 1 of ($fetch_a, $fetch_c, $fetch_d, $fetch_g) and ($run_b or $perl)
      or $run_g and 1 of ($run_a, $run_d)
    )
}

rule many_architectures {
  meta:
    description = "a script that fetches one program for many kinds of processors: nobody installs software like that"
    family = ""
    action = "ddos-botnet"
    role = "dropper-script"
  strings:
    $fetch = /\b(wget|curl|tftp|ftpget)\b/
    $arch_a = /[\w\/.-](mips|mipseb)\b/
    $arch_b = /[\w\/.-](mpsl|mipsel)\b/
    $arch_c = /[\w\/.-](arm|arm4|armv4l|arm4l)\b/
    $arch_d = /[\w\/.-](arm5|armv5l|arm5n|arm5l)\b/
    $arch_e = /[\w\/.-](arm6|armv6l|arm6l)\b/
    $arch_f = /[\w\/.-](arm7|armv7l|arm7l)\b/
    $arch_g = /[\w\/.-](sh4|superh)\b/
    $arch_h = /[\w\/.-](ppc|powerpc|ppc-440fp|powerpc-440fp)\b/
    $arch_i = /[\w\/.-](m68k|m68)\b/
    $arch_j = /[\w\/.-](sparc|spc)\b/
    $arch_k = /[\w\/.-](i586|i686|x86|x86_32|x86_64)\b/
    $arch_l = /[\w\/.-]arc\b/
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and uint8(0) != 0x3c and $fetch and 5 of ($arch_*)
}

rule rival_cleaner {
  meta:
    description = "a script that removes other intruders, their cron jobs and the machine's guards"
    family = ""
    action = "cryptomining"
    role = "dropper-script"
  strings:
    $kill_a = /\b(pkill|killall)\s+(-\w+\s+)*['"]?(kinsing|kdevtmpfsi|xmrig|minerd|watchdogs?|ksoftirqds|sysupdate|networkservice|cryptonight|kthreaddi)/
    $kill_b = /grep\s+(-\w+\s+)*['"]?(kinsing|kdevtmpfsi|xmrig|stratum|cryptonight|:3333|:5555|:7777|:14444|sysguard)['"]?/
    $cron_a = /crontab\s+-l\s*\|\s*sed\s+['"]\/[^\n]{1,80}\/d['"]\s*\|\s*crontab\s+-/
    $cron_b = "crontab -r"
    $guard_a = /(aliyun|AliYunDun|aegis|cloudmonitor|qcloud|YunJing|bcm-agent)[^\n]{0,40}(uninstall|stop|quartz)/ nocase
    $guard_b = /(mv|cp)\s+\/(usr\/)?bin\/(wget|curl|chattr|ps|top|pstree)\s/
    $guard_c = /\b\w{0,10}chattr\s+-[ia]{1,2}\w{0,3}\s+(\/etc\/(crontab|ld\.so\.preload|passwd|shadow)|\/var\/spool\/cron|\/root\/\.ssh)/
    $guard_d = /(setenforce\s+0|ufw\s+disable|iptables\s+-F|sysctl\s+(-w\s+)?kernel\.nmi_watchdog=0)/
  condition:
    filesize < 1MB and uint32(0) != 0x464c457f and uint8(0) != 0x3c and
    (#kill_a + #kill_b + #cron_a + #guard_c >= 4 or
      2 of ($kill_*, $cron_*) and 1 of ($guard_*) or 3 of ($guard_*))
}

rule ssh_key_implant {
  meta:
    description = "a script that plants a public key"
    family = ""
    action = "backdoor-rat"
    role = "key-implant"
  strings:
    $file = /authorized_keys2?\b/
    $key = /\b(ssh-(rsa|ed25519|dss)|ecdsa-sha2-nistp(256|384|521))\s+AAAA[0-9A-Za-z+\/=]{40,}/
    $write = /(>>?|tee|echo|cat|printf|mkdir)/
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and all of them
}

rule outlaw_key {
  meta:
    description = "the key of the Outlaw (Dota) miners"
    family = "Outlaw"
    action = "cryptomining"
    role = "key-implant"
  strings:
    $name = " mdrfckr"
    $key = "ssh-rsa AAAA"
    $file = "authorized_keys"
  condition:
    filesize < 2MB and $name and 1 of ($key, $file)
}

rule php_webshell {
  meta:
    description = "a PHP page that runs what its caller sends"
    family = ""
    action = "webshell"
    role = "payload"
  strings:
    $php = "<?" nocase
    $eval_a = /\b(eval|assert|system|exec|shell_exec|passthru|popen|proc_open|create_function)\s{0,8}\(\s{0,8}@?\s{0,4}(base64_decode\s{0,4}\(\s{0,4}|gzinflate\s{0,4}\(\s{0,4}|str_rot13\s{0,4}\(\s{0,4}|stripslashes\s{0,4}\(\s{0,4}|urldecode\s{0,4}\(\s{0,4}){0,4}@?\$_(POST|GET|REQUEST|COOKIE|SERVER)\b/ nocase
    $eval_b = /`\s{0,4}\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
    $eval_c = /\b(eval|assert)\s{0,8}\(\s{0,8}(gzinflate|gzuncompress|str_rot13|base64_decode)\s{0,8}\(\s{0,8}(base64_decode|str_rot13|gzinflate|strrev)\s{0,8}\(/ nocase
    $eval_d = /\$_(POST|GET|REQUEST)\s{0,4}\[[^\]]{1,40}\]\s{0,4}\(\s{0,4}\$_(POST|GET|REQUEST)\b/ nocase
    $eval_e = /preg_replace\s{0,4}\(\s{0,4}['"].{1,40}\/\w{0,4}e\w{0,4}['"]\s{0,4},\s{0,4}\$_(POST|GET|REQUEST)/ nocase
  condition:
    filesize < 2MB and $php and 1 of ($eval_*)
}

rule jsp_asp_webshell {
  meta:
    description = "a JSP or ASP page that runs what its caller sends"
    family = ""
    action = "webshell"
    role = "payload"
  strings:
    $jsp = "<%"
    $run_a = /getRuntime\(\)\s{0,4}\.\s{0,4}exec\s{0,4}\(\s{0,4}request\s{0,4}\.\s{0,4}getParameter/ nocase
    $run_b = /ProcessBuilder\s{0,4}\([^)]{0,80}request\s{0,4}\.\s{0,4}getParameter/ nocase
    $run_c = /\b(eval|execute|executeglobal)\s{0,4}\(?\s{0,4}request\s{0,4}[(.\[]/ nocase
    $run_d = /defineClass\s{0,4}\([^)]{0,120}request\s{0,4}\./ nocase
  condition:
    filesize < 2MB and $jsp and 1 of ($run_*)
}

rule reverse_shell {
  meta:
    description = "a script that calls back and hands over a shell"
    family = ""
    action = "backdoor-rat"
    role = "payload"
  strings:
    $bash = /\b(ba)?sh\s+-i\s{0,4}(>|>&|<|0)[^\n]{0,20}\/dev\/tcp\/[\w.-]{4,80}\/\d{1,5}/
    $nc = /\bnc(at)?\s+(-\w+\s+){0,4}(-e|-c)\s+\/?(bin\/)?(ba)?sh\b/
    $fifo = /mkfifo\s+\S+\s{0,4};[^\n]{0,120}\bnc\s/
    $python = /socket\.socket\([^\n]{0,200}os\.dup2\([^\n]{0,300}(subprocess|pty\.spawn|\/bin\/(ba)?sh)/
    $perl = /use Socket;[^\n]{0,300}exec\s{0,4}\(?["{']\/bin\/(ba)?sh/
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and any of them
}

rule perl_irc_bot {
  meta:
    description = "a bot in Perl that takes orders on IRC (ShellBot and kin)"
    family = "PerlBot"
    action = "ddos-botnet"
    role = "payload"
  strings:
    $perl_a = "IO::Socket"
    $perl_b = "use Socket"
    $irc_a = "PRIVMSG"
    $irc_b = "NICK "
    $irc_c = "JOIN "
    $do_a = "tcpflood" nocase
    $do_b = "udpflood" nocase
    $do_c = "httpflood" nocase
    $do_d = "portscan" nocase
    $do_e = "@udp" nocase
    $do_f = "back connect" nocase
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and 1 of ($perl_*) and 2 of ($irc_*) and 2 of ($do_*)
}

rule antivirus_test_file {
  meta:
    description = "the EICAR test file: harmless, and what a tester sends to see whether anybody looks"
    family = "EICAR-Test-File"
    action = "tool-dual-use"
    role = "payload"
  strings:
    $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
    $b = "$H+H*"
  condition:
    filesize < 256 and all of them
}
