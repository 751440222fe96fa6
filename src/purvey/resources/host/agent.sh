# Runs one step of a new machine: agent NUMBER/COUNT PROGRAM ARGUMENT...
#
# In its folder it leaves lines in `results`, "begin NUMBER/COUNT TIME STEP" and "end NUMBER/COUNT CODE SECONDS", and in `output`
# what the last step said. A step after one that failed is not begun, so that what is there at the end is why it failed. What a
# step leaves in the background may keep its output open, so that goes to a file and not through a pipe.
folder=/run/purvey-bootstrap
mask=$(umask)
umask 077
mkdir -p "$folder"
cd "$folder" || exit
number=$1
shift
case $number in
1/*) : >results ;;
*)
	case $(tail -n 1 results) in
	"end "*" 0 "*) ;;
	*) exit 1 ;;
	esac
	;;
esac
step="$*"
[ "$1 $2" != "sh -ec" ] || step=$3
begun=$(date +%s)
printf 'begin %s %s %s\n' "$number" "$begun" "$(printf %s "$step" | tr -s '[:cntrl:]' ' ' | cut -c 1-200)" >>results
(cd / && umask "$mask" && exec "$@") </dev/null >output 2>&1
code=$?
printf 'end %s %s %s\n' "$number" "$code" "$(($(date +%s) - begun))" >>results
tail -c 65536 output
exit "$code"
