"""volt-net(1), in a network namespace that has only loopback."""

import re
from typing import Any, List

import grammar as g
from grammar import Refused, Unknown
from state import ANY, NET_ADMIN, SYS_ADMIN, State

ADDRESS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.A)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", re.A)


def is_address(value: str) -> bool:
    m = ADDRESS.fullmatch(value)
    if ":" in value:
        raise Unknown("IPv6")
    return bool(m) and all(int(x) < 256 and str(int(x)) == x for x in m.groups())


def take_word(key: str, value: str, own: Any) -> None:
    private = True
    if key == "mode":
        private = False
        if value not in ("private", "host", "none"):
            g.bad("not private, host or none")
        own["mode"] = value
    elif key in ("dns", "search"):
        private = False
        for field in g.fields(value, ","):
            if not (is_address(field) if key == "dns" else NAME.fullmatch(field)):
                g.bad("not an address or domain")
        own["files"] = True
    elif key == "hosts":
        private = False
        m = re.fullmatch(r"([^:]*):(.*)", value, re.S)
        if not m or not NAME.fullmatch(m[1]) or not is_address(m[2]):
            g.bad("NAME:IP")
        own["files"] = True
    elif key == "isolate":
        if value not in ("yes", "no"):
            g.bad("not yes or no")
    elif key == "mtu":
        if g.uint(value, 65535) < 1280:
            g.bad("at least 1280")
    elif key == "queues":
        private = False
        own["queues"] = g.uint(value, 16)
        if own["queues"] == 0:
            g.bad("at least 1")
    elif key == "port":
        m = re.fullmatch(r"(0|[1-9]\d*):(0|[1-9]\d*)(/(tcp|udp))?", value, re.A)
        if not m:
            raise Unknown("port=")
        if not (0 < int(m[1]) < 65536 and 0 < int(m[2]) < 65536):
            g.bad("not a port")
        own["ports"] = own.get("ports", 0) + 1
        if (m[1], m[4] or "tcp") in own.setdefault("all_ports", []):
            raise Unknown("the same port twice")
        own["all_ports"].append((m[1], m[4] or "tcp"))
    elif key in ("bridge", "subnet", "subnet6", "ip", "rate"):
        raise Unknown(key + "=")
    else:
        g.bad("unknown word")
    if private:
        own["private"] = True


def apply(model: Any, argv: List[str]) -> List[str]:
    s: State = model.s
    own: Any = {"mode": "private"}
    p = g.parse(argv, "Ndjrtv", lambda k, v: take_word(k, v, own), model.read)
    if not p.rest:
        raise Unknown("volt-net without a command")
    if "r" in p.flags:
        g.bad("-r takes no command")
    if own["mode"] != "private" and (own.get("private") or set(p.flags) & set("td")):
        g.bad("needs mode=private")
    if "t" in p.flags and "d" in p.flags:
        g.bad("-t and -d do not go together")
    if own.get("queues", 1) > 1 and "t" not in p.flags:
        g.bad("queues= needs -t")
    if "t" in p.flags:
        raise Unknown("-t")
    # It reports settings of the new namespace that it may not change.
    s.chatty.add("volt-net")
    if s.rooted or s.locked or s.landlock or s.seccomp_name:
        s.may_fail("volt-net")
    if "N" in p.flags:
        s.may_fail("volt-net")
        raise Refused("dry run", 0)
    if s.plug in ("deferred", "files"):
        g.bad("an earlier volt-net left a network or files that no link has used")
    s.plug_files = bool(own.get("files"))
    if own["mode"] == "host":
        s.plug = "files" if s.plug_files else "made"
        return p.rest
    if own["mode"] == "none":
        s.need(SYS_ADMIN, "volt-net", "network namespace: Operation not permitted")
        s.ns["net"], s.interfaces = "new", "lo"
        s.plug = "files" if s.plug_files else "made"
        return p.rest
    private(model, s, own, p.flags)
    return p.rest


def private(model: Any, s: State, own: Any, flags: str) -> None:
    """With a bridge: only the host's root, in its own network, can make one."""
    if s.kind != "root" or not s.has(NET_ADMIN) or not s.initial:
        if s.ns["net"] == s.before["ns"]["net"]:
            g.bad("bridge voltbr0: Operation not permitted")
        s.may_fail("volt-net")
    if s.ns["net"] != s.before["ns"]["net"] or not s.has(SYS_ADMIN) or \
            not model.host.can("volt-net", s.kind):
        s.may_fail("volt-net")
    if own.get("ports"):
        s.may_fail("volt-net")  # another chain's port may still be in use
    s.helper = True
    if "d" in flags:
        s.plug = "deferred"
        return
    # A namespace without processes ends, and so does the bridge in it.
    between = s.ns["net"] != s.before["ns"]["net"]
    s.ns["net"], s.interfaces = "new", ANY if between else "eth0"
    s.plug = "files" if s.plug_files else "made"
