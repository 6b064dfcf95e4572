"""Where the kernel's modules are below /lib/modules."""

from __future__ import annotations

_FOLDERS = {
    "ext4": "fs/ext4", "jbd2": "fs/jbd2", "mbcache": "fs", "autofs4": "fs/autofs", "fuse": "fs/fuse", "configfs":
    "fs/configfs", "efi_pstore": "drivers/firmware/efi", "nf_tables": "net/netfilter", "nft_compat": "net/netfilter",
    "nfnetlink": "net/netfilter", "x_tables": "net/netfilter", "ip_tables": "net/ipv4/netfilter", "tcp_diag":
    "net/ipv4", "inet_diag": "net/ipv4", "virtio_net": "drivers/net", "net_failover": "drivers/net", "failover":
    "net/core", "vmxnet3": "drivers/net/vmxnet3", "virtio_blk": "drivers/block", "virtio_scsi": "drivers/scsi",
    "vmw_pvscsi": "drivers/scsi", "sd_mod": "drivers/scsi", "scsi_mod": "drivers/scsi", "libata": "drivers/ata",
    "ata_piix": "drivers/ata", "ata_generic": "drivers/ata", "ahci": "drivers/ata", "libahci": "drivers/ata",
    "usbcore": "drivers/usb/core", "usb_common": "drivers/usb/common", "uhci_hcd": "drivers/usb/host", "ehci_hcd":
    "drivers/usb/host", "usbhid": "drivers/hid/usbhid", "hid": "drivers/hid", "hid_generic": "drivers/hid", "drm":
    "drivers/gpu/drm", "qxl": "drivers/gpu/drm/qxl", "bochs": "drivers/gpu/drm/tiny", "vmwgfx":
    "drivers/gpu/drm/vmwgfx", "loop": "drivers/block", "floppy": "drivers/block", "kvm": "arch/x86/kvm", "kvm_amd":
    "arch/x86/kvm", "crc32c_generic": "crypto", "cryptd": "crypto", "crypto_simd": "crypto", "crc16": "lib",
}  # fmt: skip


def module_path(name: str) -> str:
    """Where a module is below the folder of its kernel."""
    return (
        f"kernel/{_FOLDERS.get(name, 'drivers/misc')}/{name.replace('_', '-') if 'crc' in name else name}.ko"
    )
