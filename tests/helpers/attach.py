#!/usr/bin/env python3
"""Attach a file to an image of an OCI layout: attach.py LAYOUT DIGEST MEDIA FILE [TAG]

The manifest of the file has the image as its subject; with TAG it has that tag, instead.
"""

import hashlib
import json
import os
import sys

LAYOUT, DIGEST, MEDIA, FILE = sys.argv[1:5]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def put(data, media):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(LAYOUT, "blobs", "sha256", digest), "wb") as blob:
        blob.write(data)
    return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}


def main():
    with open(FILE, "rb") as f:
        layer = put(f.read(), MEDIA)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
                "config": put(b"{}", "application/vnd.oci.image.config.v1+json")}
    tag = sys.argv[5:]
    if not tag:
        manifest["subject"] = {"mediaType": MANIFEST, "digest": "sha256:" + DIGEST, "size": 1}
    entry = put(json.dumps(manifest).encode(), MANIFEST)
    if tag:
        entry["annotations"] = {"org.opencontainers.image.ref.name": tag[0]}
    index = os.path.join(LAYOUT, "index.json")
    with open(index) as f:
        whole = json.load(f)
    whole["manifests"].append(entry)
    with open(index, "w") as f:
        json.dump(whole, f)


main()
