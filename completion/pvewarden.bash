# SPDX-License-Identifier: AGPL-3.0-or-later
#
# bash completion for pvewarden(8). It asks the program, so that both always agree.

_pvewarden_arrays() {
	sed -n 's/^purestorage: *//p' /etc/pve/storage.cfg 2>/dev/null
}

_pvewarden() {
	local word=${COMP_WORDS[COMP_CWORD]} before=() w
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $w == -* ]] || before+=("$w")
	done
	case ${COMP_WORDS[COMP_CWORD-1]} in
	--root | --state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") && return ;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "$(pvewarden --complete "${before[@]:0:2}" --format 2>/dev/null)" -- "$word")
		return
		;;
	--socket | --html | --prometheus | --import-mail | --config | --db | --tls-cert | --tls-key)
		mapfile -t COMPREPLY < <(compgen -f -- "$word") && return
		;;
	--color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word") && return ;;
	--policy) mapfile -t COMPREPLY < <(compgen -W 'configured running' -- "$word") && return ;;
	--diagnose)
		mapfile -t COMPREPLY < <(compgen -W "$(_pvewarden_arrays)" -- "$word")
		return
		;;
	--kind) mapfile -t COMPREPLY < <(compgen -W 'agent read' -- "$word") && return ;;
	esac
	if [ "${before[*]:0:2}" = 'hub backup' ] && [[ $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	case ${before[*]:0:2} in
	'array heal' | 'array reap' | 'array token')
		[[ $word == -* ]] || { mapfile -t COMPREPLY < <(compgen -W "$(_pvewarden_arrays)" -- "$word") && return; }
		;;
	'array export' | 'array import')
		[[ $word == -* ]] || { mapfile -t COMPREPLY < <(compgen -f -- "$word") && return; }
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$(pvewarden --complete "${before[@]:0:3}" 2>/dev/null | sed 's/=$//')" -- "$word")
}
complete -F _pvewarden pvewarden
