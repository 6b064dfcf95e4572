"""UDP in IPv4 packets as they are written to a raw socket, and what is read from one (RFC 768, 791, 792)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

_UDP, _TCP, _ICMP = 17, 6, 1
MAX_PAYLOAD = 65_507


def _sum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_packet(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    """A whole packet from `source` to `target` (address, port); ValueError where it would be too long."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes do not fit into a datagram")
    addresses = IPv4Address(source[0]).packed + IPv4Address(target[0]).packed
    length = 8 + len(payload)
    head = struct.pack(">HHH", source[1], target[1], length)
    pseudo = addresses + struct.pack(">BBH", 0, _UDP, length)
    checksum = _sum(pseudo + head + b"\0\0" + payload) or 0xFFFF
    # The kernel fills in identification and checksum of the IP head (raw(7)).
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 52, _UDP, 0) + addresses
    return ip + head + struct.pack(">H", checksum) + payload


def tcp_target(packet: bytes) -> tuple[str, int] | None:
    """Address and port that a TCP packet of IPv4 goes to; None for anything else."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != _TCP:
        return None
    head = (packet[0] & 15) * 4
    if head < 20 or len(packet) < head + 4:
        return None
    return str(IPv4Address(packet[16:20])), int.from_bytes(packet[head + 2 : head + 4], "big")


def echo_target(packet: bytes) -> tuple[str, bytes] | None:
    """Address that an echo request goes to and what it carries; None for anything else."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != _ICMP:
        return None
    head = (packet[0] & 15) * 4
    if head < 20 or len(packet) < head + 8 or packet[head] != 8:
        return None
    return str(IPv4Address(packet[16:20])), packet[head + 8 :]
