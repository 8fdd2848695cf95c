#!/usr/bin/env bash
# Sets up this checkout, or checks in a moment that it is set up. What it does: main.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="$(tools/setup/find_python.sh)"
exec "$python" -m tools.setup.main "$@"
