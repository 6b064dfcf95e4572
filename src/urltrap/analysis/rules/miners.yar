/* Coin miners and their settings. The program is a tool of honest people as well; who brings it into a foreign machine is
   not its author. Written for urltrap. */

rule xmrig {
  meta:
    description = "the miner XMRig, by its own words"
    family = "XMRig"
    action = "cryptomining"
    role = "payload"
  strings:
    $name = "xmrig" nocase
    $option_a = "donate-level"
    $option_b = "--nicehash"
    $option_c = "rig-id"
    $option_d = "--randomx-"
    $option_e = "cpu-max-threads-hint"
    $option_f = "--coin=" fullword
    $algo_a = "cryptonight" nocase
    $algo_b = "rx/0" fullword
    $algo_c = "argon2/chukwa"
    $algo_d = "randomx" nocase
    $pool_a = "stratum+tcp://"
    $pool_b = "stratum+ssl://"
  condition:
    (uint32(0) == 0x464c457f or uint16(0) == 0x5a4d) and
    $name and 2 of ($option_*) and 2 of ($algo_*, $pool_*)
}

rule miner_other {
  meta:
    description = "a program that speaks to mining pools"
    family = ""
    action = "cryptomining"
    role = "payload"
  strings:
    $pool_a = "stratum+tcp://"
    $pool_b = "stratum+ssl://"
    $method_a = "mining.subscribe"
    $method_b = "mining.authorize"
    $method_c = "mining.submit"
    $method_d = "keepalived"
    $algo_a = "cryptonight" nocase
    $algo_b = "minerd" fullword
    $algo_c = "cpuminer" nocase
    $algo_d = "ethash" nocase
  condition:
    (uint32(0) == 0x464c457f or uint16(0) == 0x5a4d) and
    (2 of ($method_*) and 1 of ($pool_*, $algo_*) or 1 of ($pool_*) and 2 of ($algo_*))
}

rule miner_config {
  meta:
    description = "settings of a miner: pools, a wallet, how much to give away"
    family = "XMRig"
    action = "cryptomining"
    role = "config"
  strings:
    $pools = /"pools"\s{0,8}:\s{0,8}\[/
    $donate = "\"donate-level\""
    $url = /"url"\s{0,8}:\s{0,8}"[^"]{3,120}:\d{2,5}"/
    $user = /"user"\s{0,8}:\s{0,8}"[0-9A-Za-z.+]{20,120}/
    $randomx = "\"randomx\""
    $coin = /"(algo|coin)"\s{0,8}:\s{0,8}"?(rx\/|cn\/|cryptonight|monero|XMR)/ nocase
    $rig = "\"rig-id\""
  condition:
    filesize < 256KB and ($pools and 2 of ($donate, $url, $user, $randomx, $coin, $rig) or ($donate and $url and $user))
}

rule miner_script {
  meta:
    description = "a script that starts a miner or removes other ones"
    family = ""
    action = "cryptomining"
    role = "dropper-script"
  strings:
    $start_a = /-o\s{1,4}(stratum\+(tcp|ssl):\/\/)?[\w.-]{4,80}:\d{2,5}\s{1,4}-u\s{1,4}\S{20,}/
    $start_b = /--url[= ]\S{4,80}\s{1,4}--user/
    $start_c = "stratum+tcp://"
    $kill_a = /p?kill(all)?\s+(-\w+\s+)*(-f\s+)?['"]?(xmrig|xmr-stak|minerd|kinsing|kdevtmpfsi|cryptonight)/
    $kill_b = /grep\s+(-\w+\s+)*['"]?(stratum|cryptonight|xmrig|minerd|kdevtmpfsi)/
    $pool = /(pool\.(minexmr|supportxmr|hashvault)|xmr-?pool|nanopool\.org|minexmr\.com|moneroocean\.stream|c3pool\.)/
    $shell = /(^|\n)\s{0,40}(#!\/|wget |curl |chmod |nohup |crontab |export |cd )/
  condition:
    filesize < 512KB and uint32(0) != 0x464c457f and $shell and (2 of ($start_*, $pool) or 1 of ($start_*, $pool) and 1 of ($kill_*) or all of ($kill_*))
}
