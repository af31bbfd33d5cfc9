#!/usr/bin/env python3
"""Make an image in an OCI layout, for the tests: oci.py DIR TAG KIND [BUSYBOX]

The kinds are those of the functions below. Each makes the layers, as lists of members of a
tar archive. A tag that is there is replaced.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile


def member(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
    info.linkname, info.size, info.mtime = link, len(data), 1600000000
    info.devmajor, info.devminor = 1, 3
    return info, data


def directory(name, mode=0o755):
    return member(name, tarfile.DIRTYPE, mode=mode)


def base():
    layer = [directory(d) for d in ("bin", "dev", "etc", "proc", "sys", "tmp", "old", "home")]
    if len(sys.argv) > 4:
        with open(sys.argv[4], "rb") as f:
            layer.append(member("bin/busybox", data=f.read(), mode=0o755))
        for name in ("sh", "cat", "ls", "id", "stat", "sleep", "find"):
            layer.append(member("bin/" + name, tarfile.SYMTYPE, link="busybox"))
    layer.append(member("etc/passwd", data=b"root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n"))
    return layer


def good():
    first = base() + [
        member("etc/gone", data=b"gone\n"),
        member("old/file", data=b"old\n"),
        member("mine", data=b"mine\n", uid=1000, gid=1001, mode=0o4755),
        member("twice", data=b"one\n"),
        member("twice", data=b"two\n"),
    ]
    second = [
        member("etc/.wh.gone"),
        member("old/.wh..wh..opq"),
        member("old/new", data=b"new\n"),
        member("linked", tarfile.LNKTYPE, link="mine"),
        member("away", tarfile.SYMTYPE, link="/etc/passwd"),
    ]
    return [first, second]


def other():
    """Its first layer is that of good."""
    return [good()[0], [member("other", data=b"other\n")]]


def dotdot():
    return [base() + [member("../../../../../../../../tmp/volt-escaped", data=b"x"),
                      member("/tmp/volt-escaped", data=b"x"),
                      member("etc/../../volt-escaped", data=b"x")]]


def through():
    """Write through symlinks and a hard link that lead outside."""
    out = os.environ["OUTSIDE"]
    return [base() + [member("abs", tarfile.SYMTYPE, link=out),
                      member("abs/escaped", data=b"x"),
                      member("rel", tarfile.SYMTYPE, link="../../../../../../../../.." + out),
                      member("rel/escaped", data=b"x")],
            [member("abs/escaped2", data=b"x"), member("rel/.wh.precious")]]


def hardlink():
    return [base() + [member("stolen", tarfile.LNKTYPE, link=os.environ["OUTSIDE"] + "/precious"),
                      member("stolen", data=b"overwritten")]]


def device():
    return [base() + [member("dev/null", tarfile.CHRTYPE, mode=0o666),
                      member("disk", tarfile.BLKTYPE, mode=0o666),
                      member("fifo", tarfile.FIFOTYPE)]]


def newline():
    return [base()]


def corrupt():
    return [base()]


CONFIG = {
    "Env": ["A=1", "B=x  y", "PATH=/bin", "VOLT_TOOLBOX=3", "none"],
    "User": "web:44",
    "WorkingDir": "home",
    "Entrypoint": ["sh", "-c"],
    "Cmd": ["echo \"$A $B\"; id -u; pwd"],
    "StopSignal": "SIGQUIT",
    "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "x; rm": {}},
}


def main():
    where, tag, kind = sys.argv[1:4]
    blobs = os.path.join(where, "blobs", "sha256")
    os.makedirs(blobs, exist_ok=True)

    def put(data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as f:
            f.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    layers, diffs = [], []
    for layer in globals()[kind]():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for info, data in layer:
                tar.addfile(info, io.BytesIO(data))
        diffs.append("sha256:" + hashlib.sha256(out.getvalue()).hexdigest())
        packed = gzip.compress(out.getvalue(), mtime=0)
        layers.append(put(packed, "application/vnd.oci.image.layer.v1.tar+gzip"))
        if kind == "corrupt":
            with open(os.path.join(blobs, layers[0]["digest"][7:]), "r+b") as f:
                f.seek(100)
                f.write(b"\0\0\0\0")
    config = dict(CONFIG)
    if kind == "newline":
        config["Env"] = ["A=1\nbind=/:/host"]
    image = {"created": "2020-10-01T00:00:00Z", "architecture": "amd64", "os": "linux",
             "config": config, "rootfs": {"type": "layers", "diff_ids": diffs}}
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(image).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": layers}).encode(), "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index = os.path.join(where, "index.json")
    old = []
    if os.path.exists(index):
        with open(index) as f:
            old = [m for m in json.load(f)["manifests"] if m.get("annotations") !=
                   manifest["annotations"]]
    with open(index, "w") as f:
        json.dump({"schemaVersion": 2, "manifests": old + [manifest]}, f)
    with open(os.path.join(where, "oci-layout"), "w") as f:
        f.write('{"imageLayoutVersion": "1.0.0"}')


main()
