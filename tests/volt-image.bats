#!/usr/bin/env bats
# volt-image: images that the tests build, from a layout, a registry on the loopback, an
# archive; hostile ones, too.

setup() {
	load lib
	leftovers_begin
	cd "$BATS_TEST_TMPDIR" || return
	echo '{ "default": [ { "type": "insecureAcceptAnything" } ] }' >policy.json
	S=(store="$PWD/store" policy="$PWD/policy.json" tls=no)
}

teardown() {
	end_test
}

need_tools() {
	local tool

	for tool in skopeo umoci jq python3 mkfs.erofs; do
		need command -v $tool
	done
	need unshare -U true
}

# oci TAG KIND: make an image of that kind in the layout ./oci.
oci() {
	OUTSIDE=$PWD/outside python3 "$TOP/tests/helpers/oci.py" oci "$1" "$2" \
		"$(command -v busybox)"
}

image() {
	volt-image "${S[@]}" "$@"
}

# refused WHY WORD ...: volt-image ends with 125 and one line that matches WHY.
refused() {
	run -125 --separate-stderr image "${@:2}"
	echo "$stderr"
	# shellcheck disable=SC2053 # a pattern
	[[ $stderr == "volt-image: "$1 ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

# The file system of the image with that name.
root_of() {
	readlink -f "store/names/$1/root"
}

# registry: serve the layout ./oci on the loopback of a network namespace.
registry() {
	start volt-ns -n python3 "$TOP/tests/helpers/registry.py" oci 5000
	wait_for volt-ns join="$pid" -- sh -c 'python3 -c "
import socket; socket.create_connection((\"127.0.0.1\", 5000))" 2>/dev/null'
}

# here WORD ...: run volt-image where the registry is.
here() {
	volt-ns join="$pid" -- volt-image "${S[@]}" "$@"
}

# Nothing is half done: no name, no image and no temporary file.
nothing() {
	[ "$(find store/names store/images -mindepth 1 -maxdepth 1 | wc -l)" = "$1" ]
	[ "$(find store -maxdepth 1 -name 'tmp*' | wc -l)" = 0 ]
}

# in_image NAME CMD: run a command in the image.
in_image() {
	volt-ns -m image="$(root_of "$1")" "${@:2}"
}

@test "words: an error is one line" {
	need command -v jq
	refused "no verb; -h shows them"
	refused "pulll: no such verb; -h shows them" pulll x
	refused "pull: wrong arguments; -h shows them" pull
	refused "stoer=x: no such flag or word; -h shows them" stoer=x list
	refused "x: not docker://, oci:, oci-archive:, docker-archive: or dir:" pull x
	refused "none: no such image" words none
	refused "store=rel: not a path from /" store=rel gc
	for name in ../x .x -x a/b 'a b' $'a\nb' "$(printf '%065d' 0)"; do
		run -125 --separate-stderr image pull oci:x:y "$name"
		[[ $stderr == *": not a name: "* || $stderr == *"at most 64 characters" ]]
		run -125 image words "$name"
		run -125 image import /dev/null "$name"
	done
	[ ! -e store ]
	run -0 image list
	[ "$output" = "" ]
	run -0 image -j list
	[ "$output" = "[]" ]
	run -0 volt-image -V
	[ "$output" = "volt-image $(volt-ns -V | cut -d' ' -f2)" ]
}

@test "pull: layers, whiteouts, owners, words, and the same bytes each time" {
	need_root
	need_tools
	need test -e /dev/loop-control
	oci web good
	run -0 image pull "oci:oci:web"
	[ "${output%% *}" = web ]
	nothing 2
	run -0 in_image web sh -c 'ls /etc /old; cat /twice /away; stat -c "%u:%g %a" /mine /linked
		[ /mine -ef /linked ] && stat -c %Y /mine; find / -xdev -name ".wh*"'
	[ "$output" = "/etc:
passwd

/old:
new
two
root:x:0:0::/:/bin/sh
web:x:33:44::/:/bin/sh
1000:1001 4755
1000:1001 4755
1600000000" ]
	run -0 image verity=no words web
	[ "$output" = "image=$(root_of web)
env=A=1
env=B=x  y
env=PATH=/bin
chdir=/home
user=web
gid=44" ]
	volt-image "${S[@]}" verity=no words web >words
	eval "set -- $(image command web)"
	run -0 volt-ns -m @./words -- "$@"
	[ "$output" = $'1 x  y\n33\n/home' ]
	[ "$(image words web init)" = "stop=SIGQUIT" ]
	[ "$(image words web net)" = $'port=53:53/udp\nport=80:80' ]
	[ "$(image verity=no words web kvm | head -n 1)" = "disk=$(root_of web):ro" ]
	[ "$(image -j list | jq -r '.[].name')" = web ]
	# Once more, in another store.
	run -0 image store="$PWD/two" pull "oci:oci:web" again
	cmp "$(root_of web)" two/names/again/root
	# A root hash, if there is a program for it.
	if command -v veritysetup >/dev/null; then
		root=$(root_of web)
		hash=$(cat store/names/web/verity)
		[ "$(image words web | head -n 1)" = "image=$root:verity=$hash" ]
		veritysetup verify "$root" "$root" "$hash" \
			--hash-offset="$(grep -abo verity "$root" | tail -n 1 | cut -d: -f1)"
	fi
}

@test "pull: hostile layers reach nothing outside, and no device is made" {
	need_root
	need_tools
	need test -e /dev/loop-control
	mkdir outside && echo precious >outside/precious
	for kind in dotdot through hardlink device; do
		oci x $kind
		run image pull oci:oci:x $kind
		echo "$kind: $status $output"
		[ "$status" = 0 ] || [ "${#lines[@]}" = 1 ]
		[ "$(find outside | sort)" = $'outside\noutside/precious' ]
		[ "$(cat outside/precious)" = precious ]
		[ ! -e /tmp/volt-escaped ] && [ ! -e /volt-escaped ] && [ ! -e store/volt-escaped ]
		[ "$(find store -maxdepth 1 -name 'tmp*' | wc -l)" = 0 ]
	done
	# Those of the device are files, in the image and in the store.
	run -0 in_image device find /disk -type f
	[ "$output" = /disk ]
	[ "$(find store -type b -o -type c)" = "" ]
}

@test "pull: what is corrupt, refused or too large leaves nothing" {
	need_tools
	oci x corrupt
	refused "oci:oci:x: *" pull oci:oci:x
	nothing 0
	oci x newline
	refused "configuration: a control character in the configuration" pull oci:oci:x
	nothing 0
	refused "oci:oci:none: *" pull oci:oci:none
	oci web good
	echo '{ "default": [ { "type": "reject" } ] }' >policy.json
	refused "oci:oci:web: *rejected by policy*" pull oci:oci:web
	nothing 0
	echo '{ "default": [ { "type": "insecureAcceptAnything" } ] }' >policy.json
	if [ "$(id -u)" = 0 ]; then
		mkdir small
		run -125 --separate-stderr unshare -m sh -c 'mount -t tmpfs -o size=1500K t small
			volt-image "$@" store="$PWD/small" pull oci:oci:web; status=$?
			find small -name "tmp*" >&2; exit $status' sh "${S[@]}"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == "volt-image: "*"o space left on device"* ]]
	fi
	run -0 image pull oci:oci:web
	nothing 2
}

@test "pull: a registry: layers are shared; a changed blob is refused" {
	need_root
	need_tools
	local digest

	oci web good && oci other other
	registry
	run -0 here pull docker://127.0.0.1:5000/my/web:1
	[[ $output == "web-1 sha256:"* ]]
	[ "$(grep -ac blobs out)" = 3 ]
	run -0 here pull docker://127.0.0.1:5000/my/other:1 other
	# The configuration and one layer: the other one is there.
	[ "$(grep -ac blobs out)" = 5 ]
	[ "$(jq -r '.layers[0]' store/names/*/manifest | sort -u | wc -l)" = 1 ]
	# By a digest, which must be that of what comes.
	digest=$(basename "$(readlink store/names/web-1)")
	run -0 here pull "docker://127.0.0.1:5000/my/web@sha256:$digest" again
	[ "$output" = "again sha256:$digest" ]
	run -125 here pull "docker://127.0.0.1:5000/my/web@sha256:$(another "$digest")"
	# A registry that lies about what it sends.
	digest=$(jq -r '.layers[1]' store/names/other/manifest)
	flip "oci/blobs/sha256/${digest#*:}" 20
	rm -r store
	run -125 --separate-stderr here pull docker://127.0.0.1:5000/my/other:1
	[ "${#stderr_lines[@]}" = 1 ]
	nothing 0
	# The layer that arrived is kept for the next time.
	: >out
	oci other other
	run -0 here pull docker://127.0.0.1:5000/my/other:1
	[ "$(grep -ac blobs out)" -le 2 ]
	run -0 image verify
	[ "$output" = "other-1 ok" ]
}

@test "pull: a kill at any step leaves nothing that the next one does not remove" {
	need_tools
	oci web good
	mkdir bin
	for step in skopeo umoci mkfs.erofs sync mv; do
		rm -rf bin store && mkdir bin
		cat >"bin/$step" <<-EOF
			#!/bin/sh
			kill -KILL \$(cat '$PWD/victim')
		EOF
		chmod +x "bin/$step"
		PATH="$PWD/bin:$PATH" sh -c 'echo $$ >victim; exec volt-image "$@"' sh \
			"${S[@]}" pull oci:oci:web >/dev/null 2>&1 3>&- && return 1
		[ ! -e store/names/web ]
		run -0 image pull oci:oci:web
		nothing 2
		run -0 image verify web
	done
	# Two at once: one waits for the other.
	image pull oci:oci:web one >out1 3>&- &
	image pull oci:oci:web two >out2 3>&- &
	wait
	run -0 image verify
	[ "$output" = $'one ok\ntwo ok\nweb ok' ]
}

# packages NAME VERSION ...: print an SBOM, in CycloneDX.
packages() {
	jq -n '{ bomFormat: "CycloneDX", components: [$ARGS.positional as $all |
		range(0; $all | length; 2) | { name: $all[.], version: $all[. + 1] }] }' \
		--args "$@"
}

# deny NAME VERSION REASON: write a rule.
deny() {
	jq -n '{ deny: [{ name: $ARGS.positional[0], version: $ARGS.positional[1],
		reason: $ARGS.positional[2] }] }' --args "$@" >rules
}

attach() {
	python3 "$TOP/tests/helpers/attach.py" oci "$@"
}

# listed_web: the tag web becomes a list of one image. Print the list's digest.
listed_web() {
	local sum

	jq -cj '{ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
		manifests: [.manifests[0] | del(.annotations) |
		.platform = { architecture: "amd64", os: "linux" }] }' oci/index.json >list
	sum=$(sha256sum <list | cut -d' ' -f1)
	cp list "oci/blobs/sha256/$sum"
	jq --arg sum "sha256:$sum" --argjson size "$(stat -c %s list)" '.manifests[0] |=
		{ mediaType: "application/vnd.oci.image.index.v1+json", digest: $sum, size: $size,
		annotations: .annotations }' oci/index.json >new && mv new oci/index.json
	echo "$sum"
}

@test "rules=: names and versions" {
	local name rule want

	need_tools
	mkdir dir && echo x >dir/x
	cat >cyclone <<-'END'
		{ "bomFormat": "CycloneDX", "metadata": { "component": { "name": "whole" } },
		"components": [ { "name": "openssl", "version": "3.0.11-1~deb12u2",
		"purl": "pkg:deb/debian/openssl@3.0.11?arch=amd64" }, { "name": "log4j-core",
		"group": "org.apache", "version": "v2.14", "components": [ { "name": "inner",
		"version": "1:2.3" } ] }, { "name": "bare" } ] }
	END
	cat >spdx <<-'END'
		{ "spdxVersion": "SPDX-2.3", "packages": [ { "name": "openssl",
		"versionInfo": "1.1.1n", "externalRefs": [ { "referenceType": "purl",
		"referenceLocator": "pkg:deb/debian/openssl@1.1.1n" } ] }, { "name": "bare",
		"versionInfo": "NOASSERTION" } ] }
	END
	image sbom=cyclone import dir cyclone
	echo y >dir/x
	image sbom=spdx import dir spdx
	# An image, a rule, and what it refuses.
	while IFS='|' read -r name rule want; do
		echo "$name: $rule"
		echo "$rule" | sed 's/"n"/"name"/g; s/"v"/"version"/g' >rules
		if [ -z "$want" ]; then
			run -0 image rules=rules verify "$name"
		else
			refused "$name: $want: a rule *s it" rules=rules verify "$name"
		fi
	done <<-'END'
		cyclone|{}|
		cyclone|{"deny":[{"n":"OPEN?SL","v":"<3.0.11-1~deb12u3"}]}|openssl 3.0.11-1~deb12u2
		cyclone|{"deny":[{"n":"openssl","v":"<3.0.11-1~deb12u2"}]}|
		cyclone|{"deny":[{"n":"openssl","v":">=3,<03.0.012"}]}|openssl 3.0.11-1~deb12u2
		cyclone|{"deny":[{"n":"openssl","v":"3.0.1?-*"}]}|openssl 3.0.11-1~deb12u2
		cyclone|{"deny":[{"n":"openssl","v":"3.0.11"}]}|
		cyclone|{"deny":[{"n":"open"},{"n":"o[p]*"},{"n":"*arch*"}]}|
		cyclone|{"deny":[{"n":"pkg:deb/*arch=amd64"}]}|openssl 3.0.11-1~deb12u2
		cyclone|{"deny":[{"n":"org.apache/log4j-*","v":"<2.15"}]}|log4j-core v2.14
		cyclone|{"deny":[{"n":"inner","v":"=2.3"}]}|inner 1:2.3
		cyclone|{"deny":[{"n":"inner","v":"=1:2.3"}]}|inner 1:2.3
		cyclone|{"deny":[{"n":"inner","v":">=2:1"}]}|
		cyclone|{"deny":[{"n":"bare","v":"<2"}]}|bare
		cyclone|{"deny":[{"n":"bare","v":"2*"}]}|
		cyclone|{"deny":[{"n":"whole"}]}|whole
		cyclone|{"require":[{"n":"bare"},{"n":"inner","v":"2.*"}]}|no inner 2.[*]
		cyclone|{"require":[{"n":"bare","v":">2"}]}|no bare >2
		spdx|{"deny":[{"n":"openssl","v":"<1.1.1w"}]}|openssl 1.1.1n
		spdx|{"deny":[{"n":"openssl","v":"<=1.1.1"}]}|
		spdx|{"deny":[{"n":"pkg:deb/debian/openssl@*"}]}|openssl 1.1.1n
		spdx|{"deny":[{"n":"bare","v":"=7"}]}|bare NOASSERTION
		spdx|{"require":[{"n":"openssl","v":">1.1.1,<1.1.2~1"}]}|
	END
	# What is no rule.
	while IFS='|' read -r rule want; do
		echo "$rule" >rules
		refused "rules=rules: $want" rules=rules verify
	done <<-'END'
		nope|not JSON
		{} {}|not one object
		[]|not one object
		|not one object
		{"denny":[]}|denny: not deny or require
		{"deny":null}|not a list of rules
		{"deny":["x"]}|a rule is not an object
		{"deny":[{"nam\u001be":"a"}]}|nam[?]e: not name, version or reason
		{"deny":[{"name":""}]}|a rule has no name
		{"deny":[{"name":"x","version":5}]}|a version is no text
		{"deny":[{"name":"x","version":"<"}]}|<: not a range
		{"deny":[{"name":"x","version":"<1,2"}]}|<1,2: not a range
		{"deny":[{"name":"x","version":"<1.*"}]}|<1.[*]: not a range
		{"deny":[{"name":"x","version":"=>1"}]}|=>1: not a range
		{"deny":[{"name":"x","reason":5}]}|a reason is no text
	END
}

@test "rules=: an SBOM that is hostile" {
	need_tools
	local bad

	mkdir dir && echo x >dir/x
	deny x '*' y
	bad="dir: the SBOM is neither CycloneDX nor SPDX 2 in JSON"
	while read -r sbom; do
		echo "$sbom" >sbom
		refused "$bad" sbom=sbom import dir dir
		refused "$bad" rules=rules sbom=sbom import dir dir
	done <<-'END'
		nope
		{}
		[]

		{ "bomFormat": "CycloneDX" } { "bomFormat": "CycloneDX" }
		{ "bomFormat": "CycloneDX", "components": [ { "name": "a\u001b[2J" } ] }
		{ "bomFormat": "CycloneDX", "components": [ { "name": "a", "version": "\u009b" } ] }
		{ "bomFormat": "CycloneDX", "components": [ { "version": "1" } ] }
		{ "bomFormat": "CycloneDX", "components": [ "x" ] }
		{ "spdxVersion": "SPDX-3.0", "packages": [] }
		{ "spdxVersion": "SPDX-2.3", "packages": [ { "name": "a", "versionInfo": [] } ] }
	END
	printf '{ "bomFormat": "CycloneDX", "x": "\177\302\233\\u001b\n' >sbom
	refused "$bad" sbom=sbom import dir dir
	truncate -s 65M sbom
	refused "dir: the SBOM is larger than 64M" sbom=sbom import dir dir
	nothing 0
	# What is not read by us is printed without control characters.
	printf '{ "bomFormat": "CycloneDX", "x": "\177\302\233\\u001b" }' >sbom
	image sbom=sbom import dir dir
	run -0 image sbom dir
	[ "$(tr -d '\n[:print:]' <<<"$output" | wc -c)" = 0 ]
	[[ $output == *'"\u007f\u009b\u001b"'* ]]
}

@test "rules=: what is refused by the SBOM leaves nothing" {
	need_tools
	local from=oci:oci:web digest

	oci web good
	packages zlib 1:1.2.13 openssl 3.0.11-1~deb12u2 >sbom
	deny "open*" "<3.0.11-1~deb12u3" "a known hole"
	refused "$from: no SBOM; sbom=FILE gives one" rules=rules pull $from
	refused "$from: openssl 3.0.11-1~deb12u2: a known hole" rules=rules sbom=sbom pull $from
	nothing 0
	image pull $from
	digest=$(basename "$(readlink store/names/web)")
	refused "web: no SBOM" sbom web
	refused "web: no SBOM" rules=rules verify
	# An image that was there gets it, and it is judged again.
	echo '{ "require": [ { "name": "zlib", "version": ">=1.2" } ] }' >fine
	run -0 image rules=fine sbom=sbom pull $from
	[ "$(image sbom web | jq -c .)" = "$(jq -c . sbom)" ]
	run -0 image rules=fine verify
	[ "$output" = "web ok" ]
	refused "web: openssl 3.0.11-1~deb12u2: a known hole" rules=rules verify
	# The name stays with what it was.
	oci web other
	refused "$from: openssl *: a known hole" rules=rules sbom=sbom pull $from web
	[ "$(basename "$(readlink store/names/web)")" = "$digest" ]
	nothing 2
	# An import has none attached.
	mkdir dir && echo x >dir/x
	refused "dir: no SBOM" rules=fine import dir dir
	run -0 image rules=fine sbom=sbom import dir dir
	[ "$(image sbom dir | jq -r .bomFormat)" = CycloneDX ]
	refused "*: not a file that can be read" rules=<(echo '{}') import dir x
}

@test "rules=: an SBOM that is attached, in a layout and in a registry" {
	need_root
	need_tools
	local digest how

	packages openssl 3.0.11 >sbom
	deny openssl 3.0.* old
	oci web good && oci other other
	mv oci two
	for how in subject tag list; do
		rm -rf oci
		cp -r two oci
		digest=$(jq -r '.manifests[0].digest' oci/index.json | cut -d: -f2)
		case $how in
		subject) attach "$digest" application/vnd.cyclonedx+json sbom ;;
		tag) attach "$digest" text/spdx+json sbom "sha256-$digest.sbom" ;;
		list) # the SBOM is about the list that the image is in
			attach "$(listed_web)" application/spdx+json sbom
			;;
		esac
		refused "oci:oci:web: openssl 3.0.11: old" rules=rules pull oci:oci:web
		nothing 0
	done
	# Another image has none.
	refused "oci:oci:other: no SBOM*" rules=rules pull oci:oci:other
	rm -r oci store
	mv two oci
	digest=$(jq -r '.manifests[0].digest' oci/index.json | cut -d: -f2)
	registry
	run -125 here rules=rules pull docker://127.0.0.1:5000/my/web:1
	[ "$output" = "volt-image: docker://127.0.0.1:5000/my/web:1: no SBOM; sbom=FILE gives one" ]
	attach "$digest" text/spdx+json sbom "sha256-$digest.sbom"
	run -125 here rules=rules pull docker://127.0.0.1:5000/my/web:1
	[ "$output" = "volt-image: docker://127.0.0.1:5000/my/web:1: openssl 3.0.11: old" ]
	deny openssl 1.* old
	run -0 here rules=rules pull docker://127.0.0.1:5000/my/web:1
	cmp sbom store/names/web-1/sbom
	# What was sent is not what the manifest says.
	rm -r store
	flip "oci/blobs/sha256/$(sha256sum <sbom | cut -d' ' -f1)" 20
	run -125 here rules=rules pull docker://127.0.0.1:5000/my/web:1
	[[ $output == *": no SBOM"* ]]
	nothing 0
}

# signed NAME ...: copy the image web to directories. Each is signed with the key of its name.
signed() {
	local name

	GNUPGHOME=$(mktemp -d) && export GNUPGHOME
	for name; do
		gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
			--quick-gen-key "$name@volt.test" ed25519 sign never 2>/dev/null
		skopeo --policy policy.json copy -q --sign-by "$name@volt.test" \
			--sign-identity 127.0.0.1:5000/my/web:1 oci:oci:web "dir:$PWD/$name"
	done
	gpg --export "$1@volt.test" >key
	gpgconf --kill all
	rm -r "$GNUPGHOME"
}

@test "pull: signedBy: only what our key signed, in a directory and by a registry" {
	need_root
	need_tools
	need command -v gpg
	local name from=docker://127.0.0.1:5000/my/web:1 digest

	oci web good
	signed good bad
	skopeo --policy policy.json copy -q oci:oci:web "dir:$PWD/none"
	cp -r good changed && flip changed/signature-1 30
	cp -r good moved && sed -i 's/,/, /' moved/manifest.json
	jq -n --arg key "$PWD/key" '{ type: "signedBy", keyType: "GPGKeys", keyPath: $key } |
		{ default: [ { type: "reject" } ], transports: { docker: { "127.0.0.1:5000": [.] },
		dir: { "": [. + { signedIdentity: { type: "exactReference",
		dockerReference: "127.0.0.1:5000/my/web:1" } }] } } }' >new && mv new policy.json
	for name in bad none changed moved; do
		refused "dir:$PWD/$name: *ejected: *ignature*" pull "dir:$PWD/$name" web
		nothing 0
	done
	run -0 image pull "dir:$PWD/good" web
	refused "dir:$PWD/bad: *ejected: *ignature*" pull "dir:$PWD/bad" web
	nothing 2
	# A registry has the image, and a directory its signatures.
	rm -r store
	mkdir -p home/.config/containers/registries.d signatures
	printf 'docker:\n  127.0.0.1:5000:\n    lookaside: file://%s/signatures\n' "$PWD" \
		>home/.config/containers/registries.d/test.yaml
	export HOME=$PWD/home
	registry
	digest=$(jq -r '.manifests[0].digest' oci/index.json)
	for name in none bad good; do
		mkdir -p "signatures/my/web@${digest/:/=}"
		[ $name = none ] || cp $name/signature-1 "signatures/my/web@${digest/:/=}/"
		run here pull $from
		[ "${#lines[@]}" = 1 ]
		[ "$name $status" = "good 0" ] ||
			[[ "$status $output" == "125 volt-image: $from: "*ejected*ignature* ]]
		[ $name = good ] || nothing 0
	done
	run -0 image verify web-1
}

@test "pull: the root hash is the one that the author gives" {
	need_tools
	need command -v veritysetup
	local name=org.volt.dm-verity.root-hash hash plain

	oci web good
	umoci config --no-history --image oci:web --manifest.annotation=a=b # it writes as Go does
	image pull oci:oci:web plain
	plain=$(basename "$(readlink store/names/plain)")
	hash=$(cat store/names/plain/verity)
	umoci config --no-history --image oci:web --manifest.annotation="$name=${hash^^}"
	run -0 image -v pull oci:oci:web
	[[ $output == *"the root hash is that of the author"* ]]
	# The manifest is another one, and the file is the same.
	[ "$(basename "$(readlink store/names/web)")" != "$plain" ]
	[ "$(cat store/names/web/verity)" = "$hash" ]
	cmp store/names/web/root store/names/plain/root
	umoci config --no-history --image oci:web --manifest.annotation="$name=$(another "$hash")"
	refused "oci:oci:web: the root hash is $hash, and its author gives another" pull oci:oci:web
	nothing 4
	# What is no hash is another one.
	umoci config --no-history --image oci:web --manifest.annotation="$name=x"
	refused "*: the root hash is $hash, and its author gives another" pull oci:oci:web plain
	[ "$(basename "$(readlink store/names/plain)")" = "$plain" ]
	# Who cannot compute it does not believe it.
	if [ "$(id -u)" = 0 ]; then
		run -125 unshare -m sh -c 'mount --bind /dev/null "$(command -v veritysetup)" &&
			exec volt-image "$@"' sh "${S[@]}" pull oci:oci:web
		[[ $output == *": its author gives a root hash, and there is no veritysetup(8)" ]]
	fi
}

@test "rootless: the owners of an image, with and without subordinate IDs" {
	need_root
	need_tools
	need as_subid_user volt-ns -U true
	need test -e /dev/loop-control
	oci web good
	chmod -R a+rX . && chmod a+rx "$BATS_TEST_TMPDIR"
	cp policy.json "$USER_DIR/home/"
	for who in as_subid_user as_user; do
		rm -rf "$USER_DIR/home/.local"
		run -0 $who volt-image policy="$USER_DIR/home/policy.json" pull "oci:$PWD/oci:web"
		root=$USER_DIR/home/.local/share/volt/names/web/root
		run -0 volt-ns -m image="$root" sh -c 'cat /old/new; stat -c "%u:%g" /mine'
		[ "${lines[0]}" = new ]
		if [ $who = as_user ]; then
			[ "${lines[1]}" = 0:0 ]
		else
			[ "${lines[1]}" = 1000:1001 ]
		fi
		[ "$(find "$USER_DIR/home/.local/share/volt" -maxdepth 1 -name 'tmp*')" = "" ]
	done
	rm -rf "$USER_DIR/home/.local"
}

@test "kernel: a package becomes a kernel and its modules, for volt-kvm" {
	need command -v dpkg-deb
	need command -v depmod
	need command -v python3
	need unshare -U true
	local kernel version=6.1.0+test~1

	for kind in good usr; do
		python3 "$TOP/tests/helpers/deb.py" $kind.deb $kind
		run -0 image kernel $kind.deb $kind
		[ "$output" = "$kind $version" ]
		kernel=$PWD/store/kernels/$kind
		run -0 image words $kind kernel
		[ "$output" = "kernel=$kernel/vmlinuz"$'\n'"modules=$kernel/lib/modules/$version" ]
		[ -e "$kernel/lib/modules/$version/modules.dep" ]
		# No symlink of the package, no set-user-ID.
		[ "$(find "$kernel" -type l -o -perm /6000)" = "$kernel/lib" ]
	done
	run -0 image kernel good.deb
	[ "$output" = "6.1.0-test-1 $version" ]
	image words good kernel >words
	run -125 volt-kvm -N @./words memory=64M -- true # it is read, and no real one
	[[ ${lines[-1]} == "volt-kvm: kernel=$PWD/store/kernels/good/vmlinuz: neither "* ]]
	refused "good: there is such a kernel; rm kernel:good removes it" kernel usr.deb good
	[ "$(image kernels | cut -d' ' -f1,2)" = \
		"6.1.0-test-1 $version"$'\n'"good $version"$'\n'"usr $version" ]
	[ "$(image -j kernels | jq -r '.[].name' | tail -n 1)" = usr ]
	run -0 image rm kernel:good kernel:6.1.0-test-1
	[ "$(image kernels | cut -d' ' -f1)" = usr ]
	refused "good: no such kernel" rm kernel:good
	refused "good: no such kernel" words good kernel
	refused "../x: not a name: *" rm kernel:../x
	refused "../x: not a name: *" kernel good.deb ../x
	refused "none: not a file that can be read" kernel none
	[ "$(find store -maxdepth 1 -name 'tmp*' | wc -l)" = 0 ]
}

@test "kernel: a hostile package reaches nothing outside" {
	need command -v dpkg-deb
	need command -v depmod
	need command -v python3
	need unshare -U true
	local kind want

	mkdir outside && echo precious >outside/vmlinuz-1
	cp outside/vmlinuz-1 sample
	while IFS='|' read -r kind want; do
		python3 "$TOP/tests/helpers/deb.py" x.deb "$kind" "$PWD/outside"
		run -125 --separate-stderr image kernel x.deb x
		echo "$kind: $stderr"
		# shellcheck disable=SC2053 # a pattern
		[[ $stderr == "volt-image: x.deb: "$want ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr != *$'\e'* ]]
		cmp sample outside/vmlinuz-1
		[ "$(find outside)" = $'outside\noutside/vmlinuz-1' ]
		[ "$(find . -name escaped)" = "" ]
		[ "$(find store/kernels store -maxdepth 1 -name 'tmp*' -o -name x)" = "" ]
	done <<-'END'
		none|has not one boot/vmlinuz-VERSION
		two|has not one boot/vmlinuz-VERSION
		text|boot/vmlinuz-6.1.0+test~1 is no kernel
		version|the kernel has a bad version
		boot|has not one boot/vmlinuz-VERSION
		symlink|has not one boot/vmlinuz-VERSION
		through|tar: *
		dotdot|tar: *
	END
	# A name from / is one in the package, and what is not there is no link to it.
	for kind in absolute hardlink; do
		python3 "$TOP/tests/helpers/deb.py" x.deb "$kind" "$PWD/outside"
		run image kernel x.deb $kind
		echo "$status $output"
		cmp sample outside/vmlinuz-1
		[ "$(find outside)" = $'outside\noutside/vmlinuz-1' ]
	done
	echo x >x.deb
	refused "x.deb: *" kernel x.deb x
	head -c 300 /dev/zero >x.deb
	refused "x.deb: *" kernel x.deb x
}

@test "gc: what has a name or is in use stays" {
	need_root
	need_tools
	need test -e /dev/loop-control
	oci web good && oci other other
	image pull oci:oci:web && image pull oci:oci:other
	run -0 image gc
	[ "$output" = "" ]
	nothing 4
	start volt-ns -m image="$(root_of web)" sleep 1000
	wait_for pgrep -f "^sleep 1000" >/dev/null
	digest=$(basename "$(readlink store/names/web)")
	run -0 image rm web other
	run -0 image gc
	[[ $output == "removed sha256:"* ]]
	[ -e "store/images/$digest/root" ]
	[ "$(find store/oci/blobs -type f | wc -l)" = 4 ]
	kill -KILL "$pid"
	wait_for gone
	wait_for sh -c "! grep -qs $digest /sys/block/loop*/loop/backing_file"
	run -0 image gc
	[ "$output" = "removed sha256:$digest" ]
	nothing 0
	[ "$(find store/oci/blobs -type f | wc -l)" = 0 ]
	refused "web: no such image" rm web
}

@test "verify: a changed file of the store is found" {
	need_tools
	oci web good
	image pull oci:oci:web
	root=$(root_of web)
	chmod u+w "$root"
	flip "$root" 5000
	refused "$root: the file has changed" verify
	rm -r store
	image pull oci:oci:web
	blob=store/oci/blobs/sha256/$(jq -r '.layers[0]' store/names/web/manifest | cut -d: -f2)
	chmod u+w "$blob"
	flip "$blob" 50
	refused "$PWD/$blob: the file has changed" verify web
	rm "$blob"
	refused "$PWD/$blob: missing" verify web
}

@test "import and export: a directory, an archive, a file system" {
	need_root
	need_tools
	need test -e /dev/loop-control
	cp -a "$ROOT_BB" dir && echo here >dir/here && chown 5:6 dir/here
	tar -C dir -cf dir.tar .
	run -0 image import dir one
	run -0 image import dir.tar two
	run -0 image export one file
	run -0 image import file three
	for name in one two three; do
		run -0 in_image $name sh -c 'cat /here; stat -c %u:%g /here'
		[ "$output" = $'here\n5:6' ]
	done
	[ "$(image words two net)" = "" ]
	refused "one: it was imported, without layers" export one oci:out:one
	oci web good
	image pull oci:oci:web
	run -0 image export web oci-archive:web.tar
	rm -r store
	run -0 image pull oci-archive:web.tar web
	run -0 image verify
	head -c 10000 /dev/urandom >noise
	refused "noise: *" import noise noise
	nothing 2
}
