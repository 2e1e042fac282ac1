# Outlives the engine by a moment, to end what the engine left running.
#
# Standard input is a pipe from the engine: `+N` when process group N has started, `-N` when it is
# gone. The pipe ends when the engine does, however it dies: the kernel closes it only after every
# child that was being started has become the action. Standard output is no output: it may be the
# lock of the data directory, which stays taken until this script exits.
#
# Only what POSIX asks of a shell is used, and the name of the product does not occur in here, so
# that `pkill -f` on the engine leaves its guardian alone.
trap '' HUP INT QUIT TERM PIPE ALRM USR1 USR2 TSTP TTIN TTOU
mark=$1 scratch=$2 groups=' '

while read -r line; do
  group=${line#?}
  case $line in
    +*) case $groups in *" $group "*) ;; *) groups="$groups$group " ;; esac ;;
    -*) case $groups in
          *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
        esac ;;
  esac
done

# Leaves in $groups those that still have a live member; a zombie is dead, whether or not somebody
# collects it. The fields of stat (state, parent, group) are counted from the name's closing
# parenthesis. $loading tells that there is a group leader without arguments: a program that is
# being loaded has closed the pipe, but its environment cannot be read yet.
look_around() {
  left=' ' loading=
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    set -- ${line##*) }
    case $1 in Z | X) continue ;; esac
    if [ "$stat" = "/proc/$3/stat" ]; then
      arguments=
      { read -r arguments <"/proc/$3/cmdline"; } 2>/dev/null
      [ -n "$arguments" ] || loading=yes
    fi
    case $left in *" $3 "*) continue ;; esac
    case $groups in *" $3 "*) left="$left$3 " ;; esac
  done
  groups=$left
}

# The search finds a group that the engine had no time to report, and processes that left their
# group: every action carries the mark in its environment. A zombie has none.
rounds=0
while :; do
  for group in $groups; do kill -s KILL -- "-$group"; done
  look_around
  strays=$(grep -slF "$mark" /proc/[0-9]*/environ)
  for stray in $strays; do
    stray=${stray#/proc/}
    kill -s KILL -- "${stray%/environ}"
  done
  # A stranger may well have no arguments for good, so that alone is not waited for for long.
  [ "$rounds" -lt 50 ] || loading=
  case $groups$strays$loading in ' ') break ;; esac
  rounds=$((rounds + 1))
  if [ "$rounds" -lt 200 ]; then sleep 0.01; else sleep 1; fi || sleep 1
done

# Parameter files of actions that were running.
rm -f "$scratch"/*
rmdir "$scratch"
