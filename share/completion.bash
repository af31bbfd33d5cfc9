# shellcheck shell=bash
#
# bash(1) completion for the volt programs. It asks the program itself, by -h, for
# its flags, words and values.

# _volt_keys PROGRAM: its words as KEY=ARG, one on each line.
_volt_keys() {
	"$1" -h 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9._-]*=[^ ]*\) .*/\1/p'
}

# Names of files of words: those in /etc/volt and in share/volt.
_volt_includes() {
	local dir program

	program=$(type -P "$1") || return
	for dir in /etc/volt "${XDG_CONFIG_HOME:-$HOME/.config}/volt" "${program%/*}/../share/volt"; do
		[ ! -d "$dir" ] || find "$dir" -maxdepth 1 -type f ! -name '*.*' -printf '@%f\n'
	done
}

# _volt_is_word ARG: is it a flag, a word or an include?
_volt_is_word() {
	[[ $1 == -?* || $1 == @* || $1 =~ ^[a-z0-9._][a-z0-9._-]*= ]]
}

_volt() {
	local line=${COMP_LINE:0:COMP_POINT} cur program key arg i command=-1 replies=()
	local -a words

	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	cur=${words[-1]}
	# The words are those of the last link, unless its command has begun.
	for ((i = 0; i < ${#words[@]} - 1; i++)); do
		if [[ ${words[i]##*/} == volt-* && $command != -2 ]]; then
			program=${words[i]}
			command=-1
		elif [[ ${words[i]} == -- ]]; then
			command=-2
		elif [[ -n $program && $command == -1 ]] && ! _volt_is_word "${words[i]}"; then
			command=$i
		fi
	done
	if [[ $command != -1 ]]; then
		mapfile -t replies < <(compgen -f -- "$cur")
	elif [[ $cur == @* ]]; then
		mapfile -t replies < <(compgen -W "$(_volt_includes "$program")" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t replies < <(compgen -W "$("$program" -h 2>/dev/null |
			sed -n 's/^  \(-[A-Za-z]\) .*/\1/p')" -- "$cur")
	elif [[ $cur == *=* ]]; then
		key=${cur%%=*}
		arg=$(_volt_keys "$program" | sed -n "s/^${key//./\\.}=//p")
		case $arg in
		*[A-Z]*) mapfile -t replies < <(compgen -f -- "${cur#*=}") ;;
		*) mapfile -t replies < <(compgen -W "${arg//|/ }" -- "${cur#*=}") ;;
		esac
		replies=("${replies[@]/#/$key=}")
	else
		mapfile -t replies < <(
			compgen -W "$(_volt_keys "$program" | sed 's/=.*/=/')" -- "$cur"
			compgen -c -- "$cur"
		)
	fi
	# bash replaces only what follows the last of these characters.
	i=${cur%"${cur##*[=:@]}"}
	COMPREPLY=("${replies[@]#"$i"}")
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

# volt-bwrap has bubblewrap's options, and then a command.
_volt_bwrap() {
	local cur=${COMP_WORDS[COMP_CWORD]}

	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W "$("$1" --help 2>/dev/null |
		sed -n 's/^  \(--[a-z0-9-]*\) .*/\1/p')" -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -f -c -- "$cur") ;;
	esac
}

# volt has verbs, then machines; create and run have words, and apply has a directory.
_volt_machines() {
	local cur=${COMP_WORDS[COMP_CWORD]} dir=/etc/volt/machines

	[ "$(id -u)" = 0 ] || dir=${XDG_CONFIG_HOME:-$HOME/.config}/volt/machines
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" -h 2>/dev/null |
			sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p; s/.*; \(cp\) .*/\1/p')" -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]} in
	create | run) mapfile -t COMPREPLY < <(
		compgen -W "$(for p in volt-ns volt-net volt-init volt-lock volt-kvm; do
			_volt_keys "$p"
		done | sed 's/=.*/=/' | sort -u)" -- "$cur"
		compgen -c -- "$cur"
	) ;;
	apply) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(
		compgen -W "$(ls "$dir" 2>/dev/null)" -- "$cur"
		[ "${COMP_WORDS[1]}" != cp ] || compgen -f -- "$cur"
	) ;;
	esac
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _volt_machines volt
complete -F _volt_bwrap volt-bwrap
complete -F _volt volt-ns volt-cg volt-init volt-lock volt-net volt-kvm volt-seccomp
