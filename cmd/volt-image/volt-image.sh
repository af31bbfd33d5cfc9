#!/bin/sh
#
# volt-image: images for volt-ns and volt-kvm. The manual is volt-image(1).
#
# The store is a directory:
#
#	oci/		an OCI image layout, which skopeo(1) and umoci(1) write. An image
#			has its manifest's digest as the tag.
#	images/DIGEST/	an image that is complete: root, a file system, and what is
#			known of it, such as its SBOM. Its name is the digest of its
#			manifest, or that of root if it was imported.
#	names/NAME	a symbolic link to an image
#	kernels/NAME/	a kernel: vmlinuz, release, which is its version, and its modules
#	lock		whoever changes the store holds its flock(1)
#	tmp.PID/	an image or kernel that is being made. It becomes one by one rename(2), so
#			whoever is killed leaves a tmp.PID/, which the next one removes.
set -eu

version=@VERSION@
PATH=$(dirname -- "$0"):$PATH:/usr/sbin:/sbin
export PATH

usage() {
	cat <<-'END'
		usage: volt-image [-jvhV] [key=value ...] verb [arg ...]

		Keep images for volt-ns and volt-kvm.

		  -j  print JSON
		  -v  say on standard error what is done
		  -h  show this help
		  -V  show the version

		  store=DIR                      where the images are
		  policy=FILE                    whose signatures are accepted (policy.json)
		  rules=FILE                     which packages are refused or required
		  sbom=FILE                      the list of packages (CycloneDX or SPDX)
		  tls=yes|no                     whether a registry must have a certificate (yes)
		  verity=yes|no                  whether words name the root hash (yes)

		  pull SOURCE [NAME]             docker://IMAGE, oci:DIR:TAG, docker-archive:FILE
		  import FILE|DIR NAME           a tar archive, a file system, or a directory
		  list                           all images
		  words NAME [ns|init|net|kvm]   what it says, as words for that program
		  words NAME kernel              the words of volt-kvm for that kernel
		  command NAME                   its command, for eval in a shell
		  sbom NAME                      print its list of packages
		  verify [NAME ...]              compare all digests with the files
		  export NAME FILE               its file system, or to oci-archive:FILE
		  kernel FILE.deb [NAME]         keep a kernel and its modules, for volt-kvm
		  kernels                        all kernels
		  rm NAME ...                    forget names; remove kernels (kernel:NAME)
		  gc                             remove what has no name and is not in use
	END
}

die() {
	echo "volt-image: $*" >&2
	exit 125
}

say() {
	[ -z "$verbose" ] || echo "volt-image: $*" >&2
}

need() {
	for tool; do
		case $tool in
		depmod) package=kmod ;;
		dpkg-deb) package=dpkg ;;
		flock) package=util-linux ;;
		mkfs.erofs) package=erofs-utils ;;
		*) package=$tool ;;
		esac
		command -v "$tool" >/dev/null || die "$tool: not found; its package is $package"
	done
}

# Is it a file that we can read, from its start, and again?
readable() {
	[ -f "$1" ] && [ -r "$1" ]
}

# --- the store --------------------------------------------------------------

store_default() {
	if [ "$(id -u)" = 0 ]; then
		echo /var/lib/volt
	else
		echo "${XDG_DATA_HOME:-${HOME:-/nonexistent}/.local/share}/volt"
	fi
}

# Every name is checked here, and only here.
check_name() {
	case $1 in
	'' | .* | -* | *[!A-Za-z0-9._-]*)
		die "$1: not a name: letters, digits, '.', '_' and '-', with one of the first two first"
		;;
	esac
	[ ${#1} -le 64 ] || die "$1: a name has at most 64 characters"
}

# The digest of the image with that name.
digest_of() {
	check_name "$1"
	[ -L "$store/names/$1" ] || die "$1: no such image"
	basename -- "$(readlink "$store/names/$1")"
}

# Open the store to change it. We are the only one who does, until we end.
store_change() {
	need flock
	case $store in
	*:* | *,* | *\\*) die "store=$store: no ':', ',' and '\\' in the path" ;;
	/*) ;;
	*) die "store=$store: not a path from /" ;;
	esac
	umask 022
	mkdir -p "$store/images" "$store/names" "$store/kernels" || exit 125
	exec 9>"$store/lock" || exit 125
	flock -n 9 || {
		say "another volt-image changes the store: wait"
		flock 9
	}
	for old in "$store"/tmp.*; do
		[ ! -e "$old" ] || remove "$old"
	done
	rm -f "$store"/names/.new.*
	has_ids || ids_lost=1
}

# Run a command as the root of a user namespace, which can make no device and has the IDs
# that an image wants. It may write only below $tmp, if the kernel has Landlock.
inside() {
	ids=
	[ "$(id -u)" != 0 ] || ids='uidmap=0:0:65536 gidmap=0:0:65536'
	# shellcheck disable=SC2086 # two words
	volt-ns -U $ids -- volt-lock -b fs.rx=/ fs.rw="$tmp" fs.write_file=/dev/null -- "$@"
}

# Has the user namespace more than one ID? If not, all files become root's.
has_ids() {
	[ "$(id -u)" = 0 ] || [ "$(volt-ns -U -- cat /proc/self/uid_map | wc -l)" -gt 1 ]
}

# Remove the unpacked files, which may belong to other IDs.
remove_root() {
	[ ! -e "$tmp/root.d" ] || inside rm -rf "$tmp/root.d" || rm -rf "$tmp/root.d"
}

remove() {
	tmp=$1
	remove_root
	rm -rf "$tmp"
}

tmp_begin() {
	tmp=$store/tmp.$$
	mkdir -m 711 "$tmp" || exit 125
}

# At the end, however it comes: nothing is half done.
cleanup() {
	[ -z "$log" ] || rm -f "$log"
	[ -z "$tmp" ] || remove "$tmp"
}

# --- an image ---------------------------------------------------------------

sha256() {
	sha256sum -- "$1" | cut -d' ' -f1
}

# uuid SEED: an identifier that is always the same.
uuid() {
	echo "$1" | sed 's/^\(.\{8\}\)\(....\)\(....\)\(....\)\(.\{12\}\).*/\1-\2-\3-\4-\5/'
}

# make_root DIR SEED TIME: make $tmp/root of the files in DIR. The same files and seed, which
# is a digest, give the same bytes: no file is younger than TIME.
make_root() {
	need mkfs.erofs
	if [ -n "$ids_lost" ]; then
		set -- "$1" "$2" "$3" --all-root -x-1
	fi
	dir=$1 uuid=$(uuid "$2") time=$3
	shift 3
	: >"$tmp/root"
	inside env SOURCE_DATE_EPOCH="$time" mkfs.erofs --quiet -U "$uuid" "$@" \
		"$tmp/root" "$dir" >"$tmp/log" 2>&1 ||
		die "mkfs.erofs: $(tail -n 1 "$tmp/log")"
}

# add_hashes SEED: put the hashes of dm-verity behind $tmp/root, if veritysetup(8) is there.
add_hashes() {
	command -v veritysetup >/dev/null || {
		say "veritysetup: not found: the image has no hashes of dm-verity"
		return 0
	}
	size=$(stat -c %s "$tmp/root")
	[ $((size % 4096)) = 0 ] || truncate -s "$(((size + 4095) / 4096 * 4096))" "$tmp/root"
	size=$(stat -c %s "$tmp/root")
	veritysetup format --hash-offset="$size" --salt="$1" --uuid="$(uuid "$1")" \
		"$tmp/root" "$tmp/root" >"$tmp/log" 2>&1 ||
		die "veritysetup: $(tail -n 1 "$tmp/log")"
	awk '/^Root hash/ { print $3 }' "$tmp/log" >"$tmp/verity"
	[ -s "$tmp/verity" ] || die "veritysetup: no root hash"
}

# Is the root hash that which the author put into $manifest, if any?
check_author() {
	hash=$(jq -r '.annotations["org.volt.dm-verity.root-hash"] // empty | ascii_downcase' \
		"$manifest")
	[ -n "$hash" ] || return 0
	[ -e "$tmp/verity" ] ||
		die "$source: its author gives a root hash, and there is no veritysetup(8)"
	[ "$hash" = "$(cat "$tmp/verity")" ] ||
		die "$source: the root hash is $(cat "$tmp/verity"), and its author gives another$(
			[ -z "$ids_lost" ] || echo '; you have no IDs for the owners of its files'
		)"
	say "the root hash is that of the author"
}

# settle PLACE: $tmp is complete, and gets its place in the store.
settle() {
	rm -f "$tmp/log"
	chmod 755 "$tmp"
	sync -f "$tmp" || exit 125
	mv -T "$tmp" "$store/$1" || exit 125
	tmp=
}

# finish DIGEST: $tmp becomes the image with that digest.
finish() {
	sha256 "$tmp/root" >"$tmp/sha256"
	chmod 444 "$tmp/root"
	settle "images/$1"
	say "image $1"
}

# name NAME DIGEST: from now on, NAME is that image.
name() {
	ln -s "../images/$2" "$store/names/.new.$$" &&
		mv -T "$store/names/.new.$$" "$store/names/$1" || exit 125
	echo "$1 sha256:$2"
}

# --- the packages of an image -----------------------------------------------

# The text of an SBOM is another party's: what has a control character is refused, and no
# message of jq about it is shown.

# What the programs of jq below share.
# shellcheck disable=SC2016 # the names are jq's
jq_names='
	def is_range: test("^[<=>]");
	def clean: [explode[] | if . < 32 or (. > 126 and . < 160) or (. > 8231 and . < 8239) or
		(. > 8293 and . < 8298) then 63 else . end] | implode;'

# Is it a file of rules? If not, say what is wrong with it.
# shellcheck disable=SC2016 # the names are jq's
rules_wrong=$jq_names'
	def text: type == "string" and . != "";
	def wrong: if type != "object" then "a rule is not an object"
		elif keys - ["name", "version", "reason"] != [] then
			(keys - ["name", "version", "reason"])[0] + ": not name, version or reason"
		elif .name | text | not then "a rule has no name"
		elif has("version") and (.version | text | not) then "a version is no text"
		elif has("reason") and (.reason | text | not) then "a reason is no text"
		elif has("version") and (.version | is_range and
			(split(",") | all(test("[0-9]") and
				test("^(<=|>=|<|=|>)[0-9A-Za-z.:~+_-]+\\z")) | not)) then
			.version + ": not a range"
		else empty end;
	first(if length != 1 or (.[0] | type) != "object" then "not one object"
	elif .[0] | keys - ["deny", "require"] != [] then
		(.[0] | keys - ["deny", "require"])[0] + ": not deny or require"
	else .[0][] | if type != "array" then "not a list of rules" else .[] | wrong end
	end | clean)'

# What the first rule that refuses an SBOM says. A version is compared piece by piece: a
# piece is a run of digits or letters, or "~"; that comes before the end, and the end before
# letters, and these before digits. (In jq 1.6, error without a text is none.)
# shellcheck disable=SC2016 # the names are jq's
refusal=$jq_names'
	def glob: "\\A" + (gsub("(?<c>[^A-Za-z0-9*?])"; "\\\(.c)") | gsub("[*]"; ".*") |
		gsub("[?]"; ".")) + "\\z";
	def number: sub("^0+(?=.)"; "") | [3, length, .];
	def pieces: [scan("[0-9]+|[A-Za-z]+|~") | if . == "~" then [0]
		elif test("^[0-9]") then number else [2, .] end] + [[1]];
	def epoch: capture("^(?<epoch>[0-9]+):(?<rest>.*)$") // { epoch: null, rest: . };
	def unknown: (test("[0-9]") | not) or length > 200;
	def within($version): capture("^(?<how>[<=>]+)(?<than>.*)$") |
		(.than | epoch) as $than | ($version | sub("^[vV](?=[0-9])"; "") | epoch) as $is |
		(if $than.epoch then [$is.epoch // "0", $than.epoch] else ["0", "0"] end |
			map([number])) as $epochs |
		($epochs[0] + ($is.rest | pieces)) as $is |
		($epochs[1] + ($than.rest | pieces)) as $than |
		if .how == "<" then $is < $than elif .how == "<=" then $is <= $than
		elif .how == "=" then $is == $than elif .how == ">=" then $is >= $than
		else $is > $than end;
	def is_purl: startswith("pkg:");
	def rule: .glob = (.name | glob);
	def fits($rule; $if_unknown): (.names | any(is_purl == ($rule.name | is_purl) and
		test($rule.glob; "i"))) and
		(.version as $version | $rule.version // "*" |
		if is_range | not then glob as $glob | $version | test($glob; "i")
		elif $version | unknown then $if_unknown
		else split(",") | all(within($version)) end);
	def text: if type != "string" or length > 2000 or . != clean then error("bad") else . end;
	def package(purls; $version): { names: [(.name | text),
		((.group // empty | text) + "/" + .name), (purls | text)],
		version: ($version // "" | text) };
	def components: (.components // [])[] | ., components;
	def packages: if .bomFormat == "CycloneDX" then
			[(.metadata.component // empty), components |
				package(.purl // empty; .version)]
		elif .spdxVersion | startswith("SPDX-2.") then
			[(.packages // [])[] | package((.externalRefs // [])[] |
				select(.referenceType == "purl") | .referenceLocator; .versionInfo)]
		else error("bad") end;
	if ($sbom | length) != 1 or ($rules | length) != (if $given == "" then 0 else 1 end)
	then error("bad") else . end | ($sbom[0] | packages) as $packages |
	first(
		(($rules[0].deny // [])[] | rule as $rule | $packages[] |
			select(fits($rule; true)) | .names[0] +
			(if .version == "" then "" else " " + .version end) + ": " +
			($rule.reason // "a rule denies it")),
		(($rules[0].require // [])[] | rule as $rule |
			select($packages | any(fits($rule; false)) | not) |
			"no " + .name + (if .version then " " + .version else "" end) + ": " +
			(.reason // "a rule requires it"))
	) | clean'

# Check the files of rules= and sbom=, before anything is done.
check_rules() {
	for file in ${rules:+"$rules"} ${sbom:+"$sbom"}; do
		readable "$file" || die "$file: not a file that can be read"
	done
	[ -n "$rules$sbom" ] || return 0
	need jq
	[ -n "$rules" ] || return 0
	wrong=$(jq -rs "$rules_wrong" "$rules" 2>/dev/null) || die "rules=$rules: not JSON"
	[ -z "$wrong" ] || die "rules=$rules: $wrong"
}

# judge NAME SBOM: end, if a rule refuses the image with that name and SBOM.
judge() {
	[ -e "$2" ] || die "$1: no SBOM"
	[ "$(stat -c %s "$2")" -le "$sbom_most" ] || die "$1: the SBOM is larger than 64M"
	line=$(jq -rn --arg given "$rules" --slurpfile rules "${rules:-/dev/null}" \
		--slurpfile sbom "$2" "$refusal" 2>/dev/null) ||
		die "$1: the SBOM is neither CycloneDX nor SPDX 2 in JSON"
	[ -z "$line" ] || die "$1: $line"
}
sbom_most=67108864

# The digest of the first layer with an SBOM, of a manifest about $subject. If that is empty,
# the manifest is known to be about the right image.
# shellcheck disable=SC2016 # the names are jq's
sbom_layer='first(select($subject == "" or .subject.digest == $subject) | .layers[] |
	select(.mediaType | IN("application/vnd.cyclonedx+json", "application/spdx+json",
		"text/spdx+json")) | .digest | select(test("\\Asha256:[0-9a-f]{64}\\z")))'

# The digests by which an SBOM may name the image: that of its manifest, and that of what the
# source has under its name, if this leads to the manifest: a list, or another form of it.
subjects() {
	echo "$digest"
	skopeo inspect --raw --tls-verify="$tls" "$source" >"$tmp/raw" 2>/dev/null &&
		jq -e --arg digest "sha256:$digest" --slurpfile ours "$(blob "sha256:$digest")" '
			[(.manifests // [])[].digest == $digest, ([(.layers // [])[].digest] ==
				[$ours[0].layers[].digest])] | any' "$tmp/raw" >/dev/null 2>&1 &&
		sha256 "$tmp/raw"
}

# tagged DIR TAG: the digests of what has that tag in a layout, or of all with a tag of ''.
# shellcheck disable=SC2016 # the names are jq's
tagged() {
	jq -r --arg tag "$2" '.manifests[] | select($tag == "" or
		.annotations["org.opencontainers.image.ref.name"] == $tag) | .digest' \
		"$1/index.json" 2>/dev/null | hexes
}

# attached_layout DIR SUBJECT: copy the SBOM that a layout has of the subject to $tmp/sbom.
attached_layout() {
	blobs=$1/blobs/sha256
	subject=
	for one in $(tagged "$1" "sha256-$2.sbom"); do
		! take_layer "$blobs" "$blobs/$one" || return 0
	done
	subject=sha256:$2
	for one in $(tagged "$1" '') $(tagged "$1" "sha256-$2" | while read -r list; do
		jq -r '.manifests[].digest' "$blobs/$list" 2>/dev/null | hexes
	done); do
		! take_layer "$blobs" "$blobs/$one" || return 0
	done
	return 1
}

# attached_registry SUBJECT: likewise, from a registry.
attached_registry() {
	subject=
	rm -rf "$tmp/attached"
	skopeo ${policy:+--policy "$policy"} copy --src-tls-verify="$tls" \
		"$(echo "$source" | sed 's/@.*//; s,:[^:/]*$,,'):sha256-$1.sbom" \
		"dir:$tmp/attached" >"$log" 2>&1 &&
		take_layer "$tmp/attached" "$tmp/attached/manifest.json"
}

# The hexadecimal digits of digests, one a line.
hexes() {
	sed -n 's/^sha256:\([0-9a-f]\{64\}\)$/\1/p'
}

# take_layer BLOBS MANIFEST: copy the layer of the manifest that is an SBOM of $subject.
take_layer() {
	[ -f "$2" ] || return 1
	layer=$(jq -r --arg subject "$subject" "$sbom_layer" "$2" 2>/dev/null | hexes)
	[ -n "$layer" ] && [ -f "$1/$layer" ] || return 1
	head -c $((sbom_most + 1)) "$1/$layer" >"$tmp/sbom" || exit 125
	[ "$(sha256 "$tmp/sbom")" = "$layer" ]
}

# Put the SBOM that is attached to the image into $tmp/sbom.
attached() {
	for one in $(subjects); do
		case $source in
		docker://*) ! attached_registry "$one" || return 0 ;;
		oci:*)
			dir=${source#oci:}
			! attached_layout "${dir%%:*}" "$one" || return 0
			;;
		esac
	done
	die "$source: no SBOM; sbom=FILE gives one"
}

# With rules= or sbom=, put the SBOM into $tmp/sbom, and judge it.
take_sbom() {
	[ -n "$rules$sbom" ] || return 0
	if [ -n "$sbom" ]; then
		head -c $((sbom_most + 1)) "$sbom" >"$tmp/sbom" || exit 125
	elif [ "$verb" = pull ]; then
		attached
		rm -rf "$tmp/attached" "$tmp/raw"
	fi
	judge "$source" "$tmp/sbom"
}

# keep_sbom DIGEST: if there is an SBOM still, it is of an image that was there before.
keep_sbom() {
	[ -z "$tmp" ] || [ ! -e "$tmp/sbom" ] || mv "$tmp/sbom" "$store/images/$1/sbom" || exit 125
}

# --- pull -------------------------------------------------------------------

# The name in a source: b-1.2 in docker://host/a/b:1.2, and TAG in oci:DIR:TAG.
name_in() {
	case $1 in
	docker://*) echo "$1" | sed 's/@sha256:.*//; s,.*/,,; s/:/-/g' ;;
	*) echo "$1" | sed 's,.*[/:],,; s/\.tar$//' ;;
	esac
}

# What skopeo or umoci says, without the time.
reason() {
	sed -n 's/.*level=fatal msg=//p; s/^.*⨯ //p' "$1" | tail -n 1 | sed 's/^"//; s/"$//' |
		grep . || tail -n 1 "$1"
}

# skopeo copy, which verifies each digest and each signature that the policy wants. A blob
# that is in the store is not fetched again. A layout has no place for signatures.
copy() {
	need skopeo umoci jq
	from=$1
	set -- ${policy:+--policy "$policy"} copy --remove-signatures \
		--src-tls-verify="$tls" "$1" "$2"
	if [ -t 2 ]; then
		skopeo "$@" >&2 || die "$from: skopeo failed"
	else
		skopeo "$@" >"$log" 2>&1 || die "$from: $(reason "$log")"
	fi
}

blob() {
	echo "$store/oci/blobs/$(echo "$1" | tr : /)"
}

# What of the configuration of an image becomes a word. A line break would make two of one.
# shellcheck disable=SC2016 # the names are jq's
to_config='
	def line: if test("[\u0000-\u001f]") then
		error("a control character in the configuration") else . end;
	(.config // {}) as $c | (($c.User // "") | split(":")) as $u |
	{
		env: [($c.Env // [])[] | line |
			select(test("^[^=]+=") and (startswith("VOLT_") | not))],
		chdir: (($c.WorkingDir // "" | line | select(. != "" and . != "/") |
			if startswith("/") then . else "/" + . end) // null),
		user: (($u[0] // "" | line | select(. != "" and . != "0" and . != "root")) // null),
		group: (($u[1] // "" | line | select(. != "")) // null),
		stop: (($c.StopSignal // "" | line | select(. != "" and . != "SIGTERM")) // null),
		ports: [($c.ExposedPorts // {}) | keys[] | line |
			select(test("^[0-9]+(/tcp|/udp)?$"))],
		command: (($c.Entrypoint // []) + ($c.Cmd // []))
	}'

# The digest of the manifest with that tag.
manifest_of() {
	jq -r --arg tag "$1" '.manifests[] |
		select(.annotations["org.opencontainers.image.ref.name"] == $tag) |
		.digest | ltrimstr("sha256:")' "$store/oci/index.json" 2>/dev/null | head -n 1
}

# keep_manifests DIGEST ...: leave only these in the layout's index, each with its digest as
# the tag. skopeo leaves those whose tag it gave to another, without a tag.
# shellcheck disable=SC2016 # the names are jq's
keep_manifests() {
	jq '.manifests |= ([.[]? | select(.digest | ltrimstr("sha256:") |
			IN($ARGS.positional[])) | .annotations = {
			"org.opencontainers.image.ref.name": (.digest | ltrimstr("sha256:")) }] |
		unique_by(.digest))' --args "$@" <"$store/oci/index.json" >"$store/tmp.index" &&
		mv "$store/tmp.index" "$store/oci/index.json" || exit 125
}

# The digests of all images.
digests() {
	find "$store/images" -mindepth 1 -maxdepth 1 -printf '%f\n'
}

# make DIGEST: unpack the layers of that manifest in $tmp, and make an image of them.
make() {
	manifest=$(blob "sha256:$1")
	seed=$(jq -r '.config.digest | ltrimstr("sha256:")' "$manifest")
	config=$(blob "sha256:$seed")
	jq "$to_config" "$config" >"$tmp/config" 2>"$tmp/log" ||
		die "configuration: $(tail -n 1 "$tmp/log" | sed 's/^jq: error.*): //')"
	jq '{ source: $source, layers: [.layers[].digest], size: ([.layers[].size] | add) }' \
		--arg source "$source" "$manifest" >"$tmp/manifest"
	mkdir "$tmp/root.d"
	set -- "$1" "$store/oci:$1"
	[ -z "$ids_lost" ] || set -- "$1" "$2" --rootless
	say "unpack $2"
	inside umoci --log=fatal raw unpack ${3:+"$3"} --image "$2" "$tmp/root.d" \
		>"$tmp/log" 2>&1 || die "$source: a layer: $(reason "$tmp/log")"
	created=$(jq -r '(.created // "1970-01-01T00:00:00Z")[0:19] + "Z" |
		(fromdateiso8601? // 0) | floor' "$config")
	# The digest of the configuration: the author can compute the root hash, and then put it
	# into the manifest.
	make_root "$tmp/root.d" "$seed" "$created"
	remove_root
	add_hashes "$seed"
	check_author
	finish "$1"
}

verb_pull() {
	source=$1
	new=${2:-$(name_in "$source")}
	check_name "$new"
	case $source in
	docker://* | oci:* | oci-archive:* | docker-archive:* | dir:*) ;;
	*) die "$source: not docker://, oci:, oci-archive:, docker-archive: or dir:" ;;
	esac
	check_rules
	store_change
	log=$store/tmp.log
	copy "$source" "oci:$store/oci:incoming"
	digest=$(manifest_of incoming)
	[ -n "$digest" ] || die "$source: no manifest"
	tmp_begin
	take_sbom
	# shellcheck disable=SC2046 # digests
	keep_manifests "$digest" $(digests)
	[ -d "$store/images/$digest" ] || make "$digest"
	keep_sbom "$digest"
	name "$new" "$digest"
}

# --- import, export ---------------------------------------------------------

no_digest=00000000000000000000000000000000
any_time=4294967295

# What begins with a known magic number: erofs, squashfs, ext4, or a tar archive.
kind_of() {
	[ ! -d "$1" ] || {
		echo directory
		return
	}
	case $(od -An -tx1 -j1024 -N4 "$1" | tr -d ' ') in
	e2e1f5e0) echo image && return ;;
	esac
	case $(od -An -tx1 -j1080 -N2 "$1" | tr -d ' ') in
	53ef) echo image && return ;;
	esac
	case $(od -An -c -N4 "$1" | tr -d ' ') in
	hsqs) echo image && return ;;
	esac
	echo tar
}

verb_import() {
	source=$1
	check_name "$2"
	[ -r "$source" ] || die "$source: cannot be read"
	check_rules
	store_change
	tmp_begin
	take_sbom
	case $(kind_of "$source") in
	directory) make_root "$source" "$no_digest" "$any_time" ;;
	image) cp --reflink=auto -- "$source" "$tmp/root" || exit 125 ;;
	tar)
		mkdir "$tmp/root.d"
		inside tar -C "$tmp/root.d" --numeric-owner --exclude='./dev/*' -xpf - \
			<"$source" >"$tmp/log" 2>&1 || die "$source: $(tail -n 1 "$tmp/log")"
		make_root "$tmp/root.d" "$no_digest" "$any_time"
		remove_root
		;;
	esac
	digest=$(sha256 "$tmp/root")
	echo '{ "env": [], "ports": [], "command": [] }' >"$tmp/config"
	if [ -d "$store/images/$digest" ]; then
		say "$digest: it is there"
	else
		add_hashes "$digest"
		finish "$digest"
	fi
	keep_sbom "$digest"
	name "$2" "$digest"
}

verb_export() {
	digest=$(digest_of "$1")
	case $2 in
	oci:* | oci-archive:* | docker-archive:*)
		[ -e "$store/images/$digest/manifest" ] || die "$1: it was imported, without layers"
		log=$(mktemp)
		copy "oci:$store/oci:$digest" "$2"
		;;
	*) cp --reflink=auto -- "$store/images/$digest/root" "$2" || exit 125 ;;
	esac
}

# --- kernels ----------------------------------------------------------------

# unpack_deb FILE: unpack a Debian package into $tmp/root.d: only files and directories.
unpack_deb() {
	mkdir "$tmp/root.d"
	if ! inside dpkg-deb --fsys-tarfile - <"$1" >"$tmp/tar" 2>"$tmp/log" ||
		! inside tar -C "$tmp/root.d" --no-same-owner -xf "$tmp/tar" 2>"$tmp/log"; then
		die "$1: $(grep -v ': Exiting ' "$tmp/log" | tail -n 1 | tr -d '\000-\037\177')"
	fi
	inside find "$tmp/root.d" ! -type f ! -type d -delete || exit 125
	inside chmod -R u=rwX,go=rX "$tmp/root.d" || exit 125
	rm "$tmp/tar"
}

# Is it a kernel that volt-kvm may boot: a bzImage, or an ELF file?
is_kernel() {
	[ "$(od -An -c -j514 -N4 "$1" 2>/dev/null | tr -d ' ')" = HdrS ] ||
		[ "$(od -An -tx1 -N4 "$1" | tr -d ' ')" = 7f454c46 ]
}

# Move the kernel and its modules out of $tmp/root.d, to $tmp. Both /lib and /usr/lib have the
# modules, as depmod(8) may look in either.
take_kernel() {
	set -- "$tmp"/root.d/boot/vmlinuz-*
	[ "$# $(stat -c %F "$1" 2>/dev/null)" = "1 regular file" ] ||
		die "$source: has not one boot/vmlinuz-VERSION"
	release=${1##*/vmlinuz-}
	case $release in
	'' | [!0-9A-Za-z]* | *[!0-9A-Za-z.+~_-]*) die "$source: the kernel has a bad version" ;;
	esac
	is_kernel "$1" || die "$source: boot/vmlinuz-$release is no kernel"
	mv "$1" "$tmp/vmlinuz" && echo "$release" >"$tmp/release" || exit 125
	mkdir -p "$tmp/usr/lib/modules" && ln -s usr/lib "$tmp/lib" || exit 125
	for dir in "$tmp/root.d/lib/modules/$release" "$tmp/root.d/usr/lib/modules/$release"; do
		[ ! -d "$dir" ] || mv "$dir" "$tmp/usr/lib/modules/" || exit 125
	done
	remove_root
	[ ! -d "$tmp/lib/modules/$release" ] ||
		inside depmod -b "$tmp" "$release" >"$tmp/log" 2>&1 ||
		die "depmod: $(tail -n 1 "$tmp/log" | tr -d '\000-\037\177')"
}

verb_kernel() {
	source=$1
	readable "$source" || die "$source: not a file that can be read"
	[ $# = 1 ] || check_name "$2"
	need dpkg-deb depmod
	store_change
	tmp_begin
	unpack_deb "$source"
	take_kernel
	new=${2:-$(echo "$release" | tr '+~' '--')}
	check_name "$new"
	[ ! -e "$store/kernels/$new" ] ||
		die "$new: there is such a kernel; rm kernel:$new removes it"
	settle "kernels/$new"
	echo "$new $release"
}

# The directory of the kernel with that name.
kernel_of() {
	check_name "$1"
	[ -d "$store/kernels/$1" ] || die "$1: no such kernel"
	echo "$store/kernels/$1"
}

verb_kernels() {
	[ -z "$json" ] || printf '['
	comma=
	for dir in "$store"/kernels/*; do
		[ -d "$dir" ] || continue
		release=$(cat "$dir/release") size=$(du -sb "$dir" | cut -f1)
		if [ -n "$json" ]; then
			printf '%s{"name":"%s","release":"%s","size":%s}' \
				"$comma" "${dir##*/}" "$release" "$size"
			comma=,
		else
			echo "${dir##*/} $release $size"
		fi
	done
	[ -z "$json" ] || echo ']'
}

kernel_words() {
	dir=$(kernel_of "$1")
	echo "kernel=$dir/vmlinuz"
	modules=$dir/lib/modules/$(cat "$dir/release")
	[ ! -d "$modules" ] || echo "modules=$modules"
}

# --- what is there ----------------------------------------------------------

verb_list() {
	[ -z "$json" ] || printf '['
	comma=
	for link in "$store"/names/*; do
		[ -L "$link" ] || continue
		digest=$(digest_of "${link##*/}")
		size=$(stat -c %s "$store/images/$digest/root")
		if [ -n "$json" ]; then
			printf '%s{"name":"%s","digest":"sha256:%s","size":%s}' \
				"$comma" "${link##*/}" "$digest" "$size"
			comma=,
		else
			echo "${link##*/} sha256:$digest $size"
		fi
	done
	[ -z "$json" ] || echo ']'
}

# The words of a machine in a file, or on a command line: one on each line.
verb_words() {
	[ "${2:-}" != kernel ] || {
		kernel_words "$1"
		return
	}
	need jq
	digest=$(digest_of "$1")
	image=$store/images/$digest
	verity=
	[ -n "$no_verity" ] || [ ! -s "$image/verity" ] || verity=verity=$(cat "$image/verity")
	case ${2:-ns} in
	ns) echo "image=$image/root${verity:+:$verity}" ;;
	kvm) echo "disk=$image/root:ro${verity:+:$verity}" ;;
	init | net) ;;
	*) die "$2: not ns, init, net, kvm or kernel" ;;
	esac
	jq -r --arg for "${2:-ns}" '
		def id: if test("^[0-9]+$") then true else false end;
		if $for == "init" then
			(.stop // empty | "stop=" + .)
		elif $for == "net" then
			(.ports[] | sub("/tcp$"; "") | split("/") |
				"port=" + .[0] + ":" + .[0] + (if .[1] then "/" + .[1] else "" end))
		else
			(.env[] | "env=" + .), (.chdir // empty | "chdir=" + .),
			if $for == "ns" then
				(.user // empty | if id then "uid=" + . else "user=" + . end),
				(.group // empty | "gid=" + .)
			else empty end
		end' "$image/config"
}

verb_command() {
	need jq
	digest=$(digest_of "$1")
	jq -r '.command | @sh' "$store/images/$digest/config"
}

# check FILE SHA256: compare.
check() {
	[ -f "$1" ] || die "$1: missing"
	[ "$(sha256 "$1")" = "$2" ] || die "$1: the file has changed"
}

verb_sbom() {
	need jq
	digest=$(digest_of "$1")
	sbom=$store/images/$digest/sbom
	[ -e "$sbom" ] || die "$1: no SBOM"
	jq -a . "$sbom" || exit 125
}

verb_verify() {
	need jq
	check_rules
	[ $# -gt 0 ] || set -- "$store"/names/*
	for link; do
		[ "$link" != "$store/names/*" ] || break
		digest=$(digest_of "${link##*/}")
		image=$store/images/$digest
		check "$image/root" "$(cat "$image/sha256")"
		if [ -e "$image/manifest" ]; then
			check "$(blob "sha256:$digest")" "$digest"
			for one in $(jq -r '.config.digest, .layers[].digest' \
				"$(blob "sha256:$digest")"); do
				check "$(blob "$one")" "${one#sha256:}"
			done
		fi
		[ -z "$rules" ] || judge "${link##*/}" "$image/sbom"
		echo "${link##*/} ok"
	done
}

# --- removal ----------------------------------------------------------------

verb_rm() {
	store_change
	for one; do
		case $one in
		kernel:*)
			dir=$(kernel_of "${one#kernel:}")
			mv -T "$dir" "$store/tmp.$$" || exit 125
			remove "$store/tmp.$$"
			;;
		*)
			digest_of "$one" >/dev/null
			rm -- "$store/names/$one"
			;;
		esac
	done
}

# Is the image open in a process, behind a loop device, or named in a file of words?
in_use() {
	grep -qsF "$1" /sys/block/loop*/loop/backing_file ||
		find /proc/[0-9]*/fd -lname "*$1*" 2>/dev/null | grep -q . ||
		grep -rqsF "$1" /etc/volt "${XDG_CONFIG_HOME:-${HOME:-/nonexistent}/.config}/volt" \
			/etc/systemd/system
}

verb_gc() {
	store_change
	for image in "$store"/images/*; do
		digest=${image##*/}
		[ "$digest" != '*' ] || break
		[ -z "$(find "$store/names" -lname "*/$digest")" ] || continue
		if in_use "images/$digest"; then
			say "$digest: in use"
			continue
		fi
		rm -rf "$image"
		echo "removed sha256:$digest"
	done
	[ -e "$store/oci/index.json" ] || return 0
	need jq umoci
	# shellcheck disable=SC2046 # digests
	keep_manifests $(digests)
	umoci --log=fatal gc --layout "$store/oci"
}

# --- the command line -------------------------------------------------------

store='' policy='' rules='' sbom='' tls=true no_verity=''
json='' verbose='' ids_lost='' tmp='' log=''
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
while [ $# -gt 0 ]; do
	case $1 in
	-h)
		usage
		exit 0
		;;
	-V)
		echo "volt-image $version"
		exit 0
		;;
	-j) json=1 ;;
	-v) verbose=1 ;;
	-jv | -vj) json=1 verbose=1 ;;
	store=?*) store=${1#*=} ;;
	policy=?*) policy=${1#*=} ;;
	rules=?*) rules=${1#*=} ;;
	sbom=?*) sbom=${1#*=} ;;
	tls=yes) tls=true ;;
	tls=no) tls=false ;;
	verity=yes) no_verity='' ;;
	verity=no) no_verity=1 ;;
	--)
		shift
		break
		;;
	-* | *=*) die "$1: no such flag or word; -h shows them" ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || die "no verb; -h shows them"
[ -n "$store" ] || store=$(store_default)
verb=$1
shift
case $verb:$# in
pull:[12] | import:2 | list:0 | words:[12] | command:1 | sbom:1 | verify:* | export:2 | \
	kernel:[12] | kernels:0 | rm:[1-9]* | gc:0)
	"verb_$verb" "$@"
	;;
pull:* | import:* | list:* | words:* | command:* | sbom:* | export:* | kernel:* | \
	kernels:* | rm:* | gc:*)
	die "$verb: wrong arguments; -h shows them"
	;;
*) die "$verb: no such verb; -h shows them" ;;
esac
