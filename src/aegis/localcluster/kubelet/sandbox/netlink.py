"""A pod's network interface: a veth pair whose other end is read, packet by packet, by the kubelet's switch.

Both ends stay in the pod's own network namespace. What the pod sends through `eth0` arrives at `sw0`, where the kernel
drops it (it is addressed to another host) after the switch's packet socket has seen it: so no forwarding, no firewall
module and no rights outside the user namespace are needed. ARP is off and every `eth0` has the same hardware address,
so a frame that the switch read from one pod can be written to another as it is.

Sources: rtnetlink(7), packet(7), netdevice(7), linux/if_link.h, linux/ethtool.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Sequence

HARDWARE_ADDRESS = bytes.fromhex("020000000001")
INTERFACE = "eth0"
_SWITCH_END = "sw0"
_SWITCH_ADDRESS = bytes.fromhex("020000000002")

_ETH_P_IP = 0x0800
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_RTM_NEWLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 20, 24
_NLM_REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400
_NLMSG_ERROR = 2
_NESTED = 0x8000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO = 1, 3, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _RTA_OIF = 1, 2, 4
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_SIOCSIFFLAGS, _SIOCETHTOOL = 0x8914, 0x8946
_ETHTOOL_STXCSUM = 0x17


def connect(addresses: Sequence[str]) -> socket.socket:
    """Bring up `lo` and `eth0` with these IPv4 addresses; the answer is the packet socket at the other end.

    Raises:
        OSError: refused, or the kernel has no veth.
    """
    _up("lo", 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route:
        _request(route, _RTM_NEWLINK, _new_pair())
        # Without this the kernel leaves checksums to a card that does not exist.
        _plain_checksums(INTERFACE)
        for name in (INTERFACE, _SWITCH_END):
            _up(name, _IFF_NOARP)
        index = socket.if_nametoindex(INTERFACE)
        for address in addresses:
            raw = socket.inet_aton(address)
            header = struct.pack("=BBBBi", socket.AF_INET, 32, 0, 0, index)
            _request(route, _RTM_NEWADDR, header + _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw))
        # The default route: table main, protocol boot, scope link, unicast.
        header = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 253, 1, 0)
        _request(route, _RTM_NEWROUTE, header + _attribute(_RTA_OIF, struct.pack("=i", index)))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    packets.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    packets.bind((_SWITCH_END, _ETH_P_IP))
    return packets


def _new_pair() -> bytes:
    link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0)
    peer = link + _attribute(_IFLA_IFNAME, _SWITCH_END.encode() + b"\0") + _attribute(_IFLA_ADDRESS, _SWITCH_ADDRESS)
    info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(
        _IFLA_INFO_DATA | _NESTED, _attribute(_VETH_INFO_PEER | _NESTED, peer)
    )
    return (
        link
        + _attribute(_IFLA_IFNAME, INTERFACE.encode() + b"\0")
        + _attribute(_IFLA_ADDRESS, HARDWARE_ADDRESS)
        + _attribute(_IFLA_LINKINFO | _NESTED, info)
    )


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _request(route: socket.socket, kind: int, body: bytes) -> None:
    route.send(struct.pack("=IHHII", 16 + len(body), kind, _NLM_REQUEST_ACK_CREATE, 1, 0) + body)
    answer = route.recv(65536)
    _, answered, _, _, _ = struct.unpack_from("=IHHII", answer)
    (code,) = struct.unpack_from("=i", answer, 16)
    if answered == _NLMSG_ERROR and code:
        raise OSError(-code, f"netlink request {kind} refused")


def _up(name: str, flags: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), _IFF_UP | flags))


def _plain_checksums(name: str) -> None:
    value = (ctypes.c_uint32 * 2)(_ETHTOOL_STXCSUM, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))
