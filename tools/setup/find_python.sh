#!/usr/bin/env bash
# Prints the path of a Python that can carry the market, or says on stderr what to install and ends with 1.
# Suitable: CPython 3.10 to 3.12 (eth-ape needs numpy < 2, which has no builds for newer ones), 64 bit, with venv.
# Looks at: PYTHON (then nothing else), this checkout's .venv, PATH, pyenv's folders, and at last asks uv for one.
set -euo pipefail

readonly VERSIONS="3.11 3.12 3.10" # 3.11 first: most tried with the pinned packages
readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly REMEDY="install one (apt install python3.11 python3.11-venv, brew install python@3.11, or uv from \
https://docs.astral.sh/uv) or name one with PYTHON=/path/to/python"

# Answers "yes <path>" or "no <why>". Names the base interpreter: a .venv must not be made with its own Python.
readonly PROBE='
import sys
version = "%d.%d.%d" % sys.version_info[:3]
path = getattr(sys, "_base_executable", sys.executable)
if sys.implementation.name != "cpython" or sys.maxsize <= 2**32:
    print("no", "%s (%s) is not a 64-bit CPython" % (path, version))
elif not (3, 10) <= sys.version_info[:2] <= (3, 12):
    print("no", "%s is %s" % (path, version))
else:
    try:
        import ensurepip, venv
        print("yes", path)
    except ImportError:
        print("no", "%s (%s) cannot make virtual environments: apt install python%d.%d-venv"
              % ((path, version) + sys.version_info[:2]))
'

rejected=""

# Prints the suitable interpreter behind a command, or notes why it is not one.
accept() {
  local answer
  answer="$("$1" -c "$PROBE" 2>/dev/null)" || return 1
  case "$answer" in
    yes\ *) printf '%s\n' "${answer#yes }" && exit 0 ;;
    no\ *) case "$rejected" in *"${answer#no }"*) ;; *) rejected="${rejected:+$rejected; }${answer#no }" ;; esac ;;
  esac
  return 1
}

fail() {
  printf 'set-up: %s\n' "$1" >&2
  exit 1
}

if [ -n "${PYTHON:-}" ]; then
  accept "$PYTHON" || true
  fail "PYTHON=$PYTHON is not a Python 3.10, 3.11 or 3.12 with venv${rejected:+ ($rejected)}"
fi

[ -x "$ROOT/.venv/bin/python" ] && { accept "$ROOT/.venv/bin/python" || true; }
for version in $VERSIONS; do
  accept "python$version" || true
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
    [ -x "$candidate" ] && { accept "$candidate" || true; }
  done
done
accept python3 || true
accept python || true

if command -v uv >/dev/null; then
  version="${VERSIONS%% *}"
  printf 'set-up: no Python 3.10 to 3.12 here: uv gets %s\n' "$version" >&2
  uv python install --quiet "$version" >&2 || fail "uv could not get Python $version (network?): $REMEDY"
  accept "$(uv python find "$version")" || true
fi

fail "no Python 3.10, 3.11 or 3.12 found${rejected:+ ($rejected)}: $REMEDY"
