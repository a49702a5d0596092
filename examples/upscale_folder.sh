#!/usr/bin/env bash
# Upscale every video in a folder and its subfolders, one after the other.
#
#   examples/upscale_folder.sh IN_FOLDER OUT_FOLDER [options of vsr upscale ...]
#   examples/upscale_folder.sh ~/Videos/old ~/Videos/new -m basicvsr --crf 16
#
# The folder tree is kept. Videos whose result exists already are skipped, so the script can be stopped (Ctrl-C) and
# started again at any time; a video that was stopped half way goes on where it was. One bad file does not stop the
# rest. Names may hold spaces, quotes and newlines.
#
# `vsr upscale IN_FOLDER -o OUT_FOLDER --recursive` does much the same; take this script as a start for your own rules
# about which files, which names and which options.
#
# Exit code: 0 all done, 3 some failed, 2 wrong call, 130 stopped by Ctrl-C.
# Another command than the `vsr` on your PATH: VSR="python -m vsrcli" examples/upscale_folder.sh ...

set -u

if [ $# -lt 2 ] || [ ! -d "$1" ]; then
    echo "usage: $0 IN_FOLDER OUT_FOLDER [options of vsr upscale ...]" >&2
    [ $# -ge 2 ] && echo "$0: no such folder: $1" >&2
    exit 2
fi

read -r -a vsr <<<"${VSR:-vsr}"
if ! command -v "${vsr[0]}" >/dev/null; then
    echo "$0: ${vsr[0]} not found: activate vsr's environment, or set VSR to the command" >&2
    exit 2
fi

mkdir -p -- "$2" || exit 1
source=$(CDPATH='' cd -- "$1" && pwd -P)
target=$(CDPATH='' cd -- "$2" && pwd -P)
shift 2 # what is left in "$@" goes to vsr upscale

if [ "$source" = "$target" ]; then
    echo "$0: the two folders must differ" >&2
    exit 2
fi

# vsr's work folders (*.vsr) are not searched.
videos() {
    find "$source" -type d -name '*.vsr' -prune -o -type f \( \
        -iname '*.mp4' -o -iname '*.mkv' -o -iname '*.mov' -o -iname '*.webm' -o -iname '*.avi' \
        -o -iname '*.ts' -o -iname '*.gif' \) -print0 | LC_ALL=C sort -z
}

finished=0 skipped=0
failed=()

while IFS= read -r -d '' video <&3; do
    case $video in "$target"/*) continue ;; esac # the output folder may lie inside the input
    name=${video#"$source"/}
    result=$target/$name
    if [ -e "$result" ]; then
        skipped=$((skipped + 1))
        continue
    fi
    printf '== %s\n' "$name" >&2
    mkdir -p "$(dirname "$result")"
    "${vsr[@]}" upscale "$video" -o "$result" "$@" </dev/null
    code=$?
    case $code in
        0) finished=$((finished + 1)) ;;
        130)
            echo "stopped; the same command goes on from here" >&2
            exit 130
            ;;
        *) failed+=("$name (exit code $code)") ;;
    esac
done 3< <(videos)

echo "$finished upscaled, $skipped skipped (already there), ${#failed[@]} failed" >&2
if [ ${#failed[@]} -gt 0 ]; then
    printf '  failed: %s\n' "${failed[@]}" >&2
    exit 3
fi
