"""Processors, hypervisors and boards as real guests show them (captured from machines of these kinds)."""

from __future__ import annotations

from dataclasses import dataclass

# Flags in the order of /proc/cpuinfo on a 6.1 kernel; the parts that guests of one generation share.
_HEAD_INTEL = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss "
    "syscall nx pdpe1gb rdtscp lm constant_tsc rep_good nopl xtopology cpuid tsc_known_freq pni pclmulqdq ssse3 fma "
    "cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm abm "
)
_HEAD_AMD = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 "
    "syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm rep_good nopl xtopology cpuid extd_apicid tsc_known_freq pni "
    "pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand "
    "hypervisor lahf_lm cmp_legacy cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw "
)
_BUGS_OLD_INTEL = (
    "cpu_meltdown spectre_v1 spectre_v2 spec_store_bypass l1tf mds swapgs taa itlb_multihit mmio_stale_data"
)


@dataclass(frozen=True, slots=True)
class CpuModel:
    """A processor as a guest sees it; `mhz` are the nominal rates that hosts of this model run it at."""

    model_name: str
    vendor_id: str
    family: int
    model: int
    stepping: int
    mhz: tuple[float, ...]
    flags: str
    bugs: str
    l1d_kb: int
    l1i_kb: int
    l2_kb: int
    l3_kb: int
    physical_bits: int = 46
    microcode: str = "0x1"


SERVER_CPUS = (
    CpuModel(
        "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "GenuineIntel", 6, 79, 1, (2399.996, 2399.998, 2400.0),
        _HEAD_INTEL + "3dnowprefetch cpuid_fault invpcid_single pti ssbd ibrs ibpb fsgsbase tsc_adjust bmi1 hle avx2 "
        "smep bmi2 erms invpcid rtm rdseed adx smap xsaveopt arat umip md_clear arch_capabilities",
        _BUGS_OLD_INTEL, 32, 32, 256, 35840,
    ),
    CpuModel(
        "Intel Xeon Processor (Skylake, IBRS)", "GenuineIntel", 6, 85, 4, (2099.998, 2294.608, 2593.906),
        _HEAD_INTEL + "3dnowprefetch cpuid_fault invpcid_single pti ssbd ibrs ibpb fsgsbase tsc_adjust bmi1 hle avx2 "
        "smep bmi2 erms invpcid rtm mpx avx512f avx512dq rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl "
        "xsaveopt xsavec xgetbv1 xsaves arat pku ospke md_clear",
        _BUGS_OLD_INTEL, 32, 32, 4096, 16384, 40,
    ),
    CpuModel(
        "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", "GenuineIntel", 6, 85, 4, (2394.374, 2399.996),
        _HEAD_INTEL + "3dnowprefetch cpuid_fault invpcid_single pti ssbd ibrs ibpb fsgsbase tsc_adjust bmi1 hle avx2 "
        "smep bmi2 erms invpcid rtm mpx avx512f avx512dq rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl "
        "xsaveopt xsavec xgetbv1 arat pku ospke md_clear arch_capabilities",
        _BUGS_OLD_INTEL, 32, 32, 4096, 16384,
    ),
    CpuModel(
        "Intel Xeon Processor (Cascadelake)", "GenuineIntel", 6, 85, 6, (2294.606, 2494.138, 2793.436),
        _HEAD_INTEL + "3dnowprefetch cpuid_fault invpcid_single ssbd ibrs ibpb stibp ibrs_enhanced fsgsbase tsc_adjust "
        "bmi1 avx2 smep bmi2 erms invpcid avx512f avx512dq rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl "
        "xsaveopt xsavec xgetbv1 xsaves arat umip pku ospke avx512_vnni md_clear arch_capabilities",
        "spectre_v1 spectre_v2 spec_store_bypass swapgs mmio_stale_data retbleed eibrs_pbrsb bhi", 32, 32, 4096,
        16384, 40,
    ),
    CpuModel(
        "AMD EPYC Processor", "AuthenticAMD", 23, 49, 0, (2445.404, 2495.312, 2495.310),
        _HEAD_AMD + "topoext perfctr_core ssbd ibrs ibpb stibp vmmcall fsgsbase tsc_adjust bmi1 avx2 smep bmi2 rdseed "
        "adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 clzero xsaveerptr wbnoinvd arat umip rdpid",
        "sysret_ss_attrs spectre_v1 spectre_v2 spec_store_bypass retbleed smt_rsb srso", 32, 32, 512, 16384, 40,
        "0x1000065",
    ),
    CpuModel(
        "AMD EPYC-Milan Processor", "AuthenticAMD", 25, 1, 1, (2445.404, 2645.034, 2794.748),
        _HEAD_AMD + "topoext perfctr_core invpcid_single ssbd ibrs ibpb stibp vmmcall fsgsbase bmi1 avx2 smep bmi2 "
        "erms invpcid rdseed adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 xsaves clzero "
        "xsaveerptr wbnoinvd arat "
        "umip pku ospke vaes vpclmulqdq rdpid fsrm",
        "sysret_ss_attrs spectre_v1 spectre_v2 spec_store_bypass srso", 32, 32, 512, 32768, 40, "0x1000065",
    ),
    CpuModel(
        "AMD EPYC 7543P 32-Core Processor", "AuthenticAMD", 25, 1, 1, (2794.750, 2794.748),
        _HEAD_AMD + "topoext perfctr_core invpcid_single ssbd ibrs ibpb stibp vmmcall fsgsbase tsc_adjust bmi1 avx2 "
        "smep bmi2 erms invpcid rdseed adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 "
        "xsaves clzero xsaveerptr "
        "wbnoinvd arat umip vaes vpclmulqdq rdpid fsrm arch_capabilities",
        "sysret_ss_attrs spectre_v1 spectre_v2 spec_store_bypass srso", 32, 32, 512, 16384, 48, "0xa0011d5",
    ),
)  # fmt: skip
"""What small rented servers run on."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A hypervisor's or provider's marks: network card prefix, firmware texts, disk and interface names."""

    hypervisor: str
    oui: tuple[str, ...]
    disk: str
    interface: str
    altname: str
    driver: str
    sys_vendor: str
    product_names: tuple[str, ...]
    bios_vendor: str
    bios_versions: tuple[tuple[str, str], ...]
    chassis_vendor: str
    disk_model: str = ""


SERVER_VENDORS = (
    Vendor(
        "kvm", ("52:54:00",), "vda", "ens3", "enp0s3", "virtio_net", "QEMU",
        ("Standard PC (i440FX + PIIX, 1996)",), "SeaBIOS",
        (("1.14.0-2", "04/01/2014"), ("1.15.0-1", "04/01/2014"), ("1.16.2-debian-1.16.2-1", "04/01/2014")), "QEMU",
    ),
    Vendor(
        "kvm", ("bc:24:11",), "sda", "ens18", "enp0s18", "virtio_net", "QEMU",
        ("Standard PC (i440FX + PIIX, 1996)", "Standard PC (Q35 + ICH9, 2009)"), "SeaBIOS",
        (
            ("rel-1.16.2-0-gea1b7a073390-prebuilt.qemu.org", "04/01/2014"),
            ("rel-1.16.3-0-ga6ed6b701f0a-prebuilt.qemu.org", "04/01/2014"),
        ),
        "QEMU", "QEMU HARDDISK",
    ),
    Vendor(
        "vmware", ("00:50:56", "00:0c:29"), "sda", "ens192", "enp11s0", "vmxnet3", "VMware, Inc.",
        ("VMware Virtual Platform", "VMware7,1"), "Phoenix Technologies LTD",
        (("6.00", "11/12/2020"), ("6.00", "12/12/2018")), "No Enclosure", "Virtual disk",
    ),
)  # fmt: skip
"""Where self-installed servers run."""

CLOUD_VENDORS = (
    Vendor(
        "kvm", ("96:00:02", "96:00:03", "96:00:04"), "sda", "eth0", "enp1s0", "virtio_net", "Hetzner", ("vServer",),
        "Hetzner",
        (("20171111", "11/11/2017"),), "QEMU", "QEMU HARDDISK",
    ),
    Vendor(
        "kvm", ("fa:16:3e",), "sda", "ens3", "enp0s3", "virtio_net", "OpenStack Foundation", ("OpenStack Nova",),
        "SeaBIOS",
        (("1.14.0-2", "04/01/2014"), ("2:1.10.2-58953eb7", "04/01/2014")), "OpenStack Foundation", "QEMU HARDDISK",
    ),
    Vendor(
        "kvm", ("00:16:3e",), "vda", "eth0", "enp0s5", "virtio_net", "Alibaba Cloud", ("Alibaba Cloud ECS",), "SeaBIOS",
        (("449e491", "04/01/2014"), ("8c24b4c", "04/01/2014")), "Alibaba Cloud",
    ),
)  # fmt: skip
"""Where small cloud instances run."""

SERVER_MEMORY_MB = (2048, 4096, 4096, 8192, 8192, 16384)
CLOUD_MEMORY_MB = (1024, 2048, 2048, 4096)
SERVER_DISK_GB = (25, 40, 50, 60, 80, 100, 160)
CLOUD_DISK_GB = (20, 25, 30, 40)


@dataclass(frozen=True, slots=True)
class Board:
    """A router's or recorder's board: what its cpuinfo says, and its radio and switch prefixes."""

    hostname: str
    system_type: str
    machine: str
    cpu_model: str
    bogomips: tuple[float, ...]
    mhz: float
    count: int
    memory_mb: int
    flash_mb: int
    byte_order: str
    oui: tuple[str, ...]
    target: str
    device: str


MIPS_BOARDS = (
    Board(
        "OpenWrt", "Qualcomm Atheros QCA9533 ver 2 rev 0", "TP-Link TL-WR841N/ND v11", "MIPS 24Kc V7.4",
        (432.53,), 650, 1, 64, 8, "big", ("50:c7:bf", "c4:6e:1f", "ec:08:6b"), "ath79/tiny", "tplink,tl-wr841-v11",
    ),
    Board(
        "OpenWrt", "Qualcomm Atheros QCA956X ver 1 rev 0", "TP-Link Archer C7 v5", "MIPS 74Kc V5.0",
        (385.84, 386.66), 775, 1, 128, 16, "big", ("50:c7:bf", "b0:be:76", "98:da:c4"), "ath79/generic",
        "tplink,archer-c7-v5",
    ),
    Board(
        "OpenWrt", "Atheros AR9344 rev 2", "TP-Link TL-WDR4300 v1", "MIPS 74Kc V4.12",
        (278.93, 279.34), 560, 1, 128, 8, "big", ("64:70:02", "a0:f3:c1", "10:fe:ed"), "ath79/generic",
        "tplink,tl-wdr4300-v1",
    ),
)  # fmt: skip
"""Big-endian MIPS devices (what bots call mips)."""

ARM_BOARDS = (
    Board(
        "OpenWrt", "", "AVM FRITZ!Box 4040", "ARMv7 Processor rev 5 (v7l)", (96.0,), 716, 4, 256, 32,
        "little", ("c8:0e:14", "44:4e:6d", "38:10:d5"), "ipq40xx/generic", "avm,fritzbox-4040",
    ),
    Board(
        "OpenWrt", "", "ZyXEL NBG6617", "ARMv7 Processor rev 5 (v7l)", (96.0,), 716, 4, 256, 32,
        "little", ("b8:ec:a3", "5c:e2:8c", "60:31:97"), "ipq40xx/generic", "zyxel,nbg6617",
    ),
)  # fmt: skip
"""ARMv7 devices."""
