# SPDX-License-Identifier: AGPL-3.0-or-later
#
# bash completion for pvewarden-hub(8), where the node's program is not installed as well. It asks the
# program, so that both always agree.

_pvewarden_hub() {
	local word=${COMP_WORDS[COMP_CWORD]} before=() w
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $w == -* ]] || before+=("$w")
	done
	[ "${before[0]-}" = hub ] || before=(hub "${before[@]}")
	case ${COMP_WORDS[COMP_CWORD-1]} in
	--root | --state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") && return ;;
	--config | --db | --tls-cert | --tls-key) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
	--format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") && return ;;
	--color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word") && return ;;
	--kind) mapfile -t COMPREPLY < <(compgen -W 'agent read' -- "$word") && return ;;
	esac
	if [ "${before[1]-}" = backup ] && [[ $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(pvewarden-hub --complete "${before[@]:0:3}" 2>/dev/null | sed 's/=$//')" -- "$word")
}
complete -F _pvewarden_hub pvewarden-hub
