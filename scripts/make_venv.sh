#!/bin/sh
# make_venv.sh LOCK [VENV]: brings VENV (.venv) to what LOCK says, with the project in it, editable.
set -eu
venv=${2:-.venv}

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "No Python 3.11 or newer with the venv module was found." >&2
    echo "Install one (on Debian and Ubuntu: apt install python3 python3-venv), or name it:" >&2
    echo "    make PYTHON=/path/to/python3.12 demo" >&2
    exit 1
}

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

echo "Installing from $1 (a minute or two the first time)"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Most of what is installed is never imported; what is, Python compiles then.
install() {
    "$venv/bin/python" -m pip install -qq --no-deps --no-compile "$@"
}
# A Python's own pip may be years old, and those need minutes to choose among the files of an index.
install --require-hashes -r locks/pip.txt
install --require-hashes -r "$1"
install --no-build-isolation --editable .
