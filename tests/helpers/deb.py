#!/usr/bin/env python3
"""Make a Debian package of a kernel, for the tests: deb.py FILE KIND [OUTSIDE]

The kernel is no program. The kinds but good and usr lead outside, or are no kernel.
"""

import io
import sys
import tarfile

FILE, KIND, OUTSIDE = (sys.argv + [""])[1:4]
VERSION = "6.1.0+test~1"
BZIMAGE = b"\0" * 514 + b"HdrS" + b"\0" * 100


def archive(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, what in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755 if kind == tarfile.DIRTYPE else 0o6644
            if kind == tarfile.REGTYPE:
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
            else:
                info.linkname = what
                tar.addfile(info)
    return out.getvalue()


def file(name, data=b"x"):
    return (name, tarfile.REGTYPE, data)


def link(name, to):
    return (name, tarfile.SYMTYPE, to)


def kernel(version=VERSION, data=BZIMAGE, modules="./lib/modules/"):
    return [("./boot", tarfile.DIRTYPE, ""), file("./boot/vmlinuz-" + version, data),
            file(modules + version + "/modules.order", b""),
            file(modules + version + "/kernel/x.txt")]


KINDS = {
    "good": lambda: kernel() + [link(f"./lib/modules/{VERSION}/build", "/usr/src/linux")],
    "usr": lambda: kernel(modules="./usr/lib/modules/"),
    "none": lambda: [file("./usr/share/doc/x")],
    "two": lambda: kernel("1") + kernel("2"),
    "text": lambda: kernel(data=b"no kernel"),
    "version": lambda: kernel("1\x1b[2J\nx"),
    "boot": lambda: [link("./boot", OUTSIDE), file("./lib/modules/1/x")],
    "symlink": lambda: [link("./boot/vmlinuz-1", OUTSIDE + "/vmlinuz-1")],
    "through": lambda: kernel() + [link("./a", OUTSIDE), file("./a/escaped")],
    "hardlink": lambda: kernel() + [("./a", tarfile.LNKTYPE, OUTSIDE + "/vmlinuz-1"),
                                    file("./a", b"overwritten")],
    "dotdot": lambda: kernel() + [file("./../../../escaped"), file("../escaped")],
    "absolute": lambda: kernel() + [file(OUTSIDE + "/escaped")],
}


def main():
    parts = [("debian-binary", b"2.0\n"), ("control.tar", archive([file("./control", b"\n")])),
             ("data.tar", archive(KINDS[KIND]()))]
    with open(FILE, "wb") as f:
        f.write(b"!<arch>\n")
        for name, data in parts:
            f.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
            f.write(data + b"\n" * (len(data) % 2))


main()
