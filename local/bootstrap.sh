#!/bin/sh
# Sets up what the commands of the Makefile need: a virtual environment with the pinned packages,
# and Azurite. Says nothing but what is missing, does nothing when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."

VERSION=3.13
NODE_OLDEST=20
ENVIRONMENT_STAMP=.venv/bootstrap.stamp
AZURITE_STAMP=local/node_modules/bootstrap.stamp

fail() {
    echo "$1" >&2
    exit 1
}

# A stamp says from what something was installed. `npm ci` removes its own with node_modules.
environment_state() {
    echo "$(.venv/bin/python --version 2>/dev/null) $(cksum <requirements-dev.txt)"
}
azurite_state() {
    cksum <local/package-lock.json
}
is_current() { # stamp, state
    [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# --- Python ------------------------------------------------------------------------------------

# A name on the PATH proves nothing: a pyenv shim is there for versions that are not switched on.
runs() {
    "$1" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$VERSION')" >/dev/null 2>&1
}

installed_python() {
    if command -v pyenv >/dev/null 2>&1; then
        from_pyenv=$(ls -d "$(pyenv root)/versions/$VERSION"*/bin/python 2>/dev/null || true)
    fi
    if command -v uv >/dev/null 2>&1; then
        from_uv=$(uv python find "$VERSION" 2>/dev/null || true)
    fi
    for candidate in "python$VERSION" ${from_pyenv-} ${from_uv-} python3 python; do
        if runs "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# The last resort: uv brings a Python of its own. uv itself comes from the package index if need be.
downloaded_python() {
    uv=$(command -v uv || true)
    if [ -z "$uv" ] && command -v python3 >/dev/null 2>&1; then
        python3 -m venv "$scratch/uv" >/dev/null 2>&1 || return 1
        "$scratch/uv/bin/python" -m pip install --quiet uv >/dev/null 2>&1 || return 1
        uv="$scratch/uv/bin/uv"
    fi
    [ -n "$uv" ] || return 1
    "$uv" python install --quiet "$VERSION" >/dev/null 2>&1 || return 1
    found=$("$uv" python find "$VERSION" 2>/dev/null) && runs "$found" && echo "$found"
}

install_environment() {
    python=$(installed_python) || python=$(downloaded_python) ||
        fail "Python $VERSION is missing: install it (python.org, pyenv or uv) and try again"
    runs .venv/bin/python || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements-dev.txt >"$scratch/pip.log" 2>&1 || {
        cat "$scratch/pip.log" >&2
        fail "the Python packages could not be installed: see above"
    }
    environment_state >"$ENVIRONMENT_STAMP"
}

# --- Node --------------------------------------------------------------------------------------

install_azurite() {
    command -v node >/dev/null 2>&1 || fail "Node.js $NODE_OLDEST or newer is missing"
    command -v npm >/dev/null 2>&1 || fail "npm is missing: it comes with Node.js"
    [ "$(node --version | sed 's/^v//; s/[.].*//')" -ge "$NODE_OLDEST" ] ||
        fail "Node.js $NODE_OLDEST or newer is needed, and this is $(node --version)"
    (cd local && npm ci --ignore-scripts --loglevel=error) >"$scratch/npm.log" 2>&1 || {
        cat "$scratch/npm.log" >&2
        fail "Azurite could not be installed: see above"
    }
    azurite_state >"$AZURITE_STAMP"
}

# --- Both at once, for they wait for the network most of the time --------------------------------

needs_environment=true
needs_azurite=true
if is_current "$ENVIRONMENT_STAMP" "$(environment_state)"; then needs_environment=false; fi
if is_current "$AZURITE_STAMP" "$(azurite_state)"; then needs_azurite=false; fi
if ! $needs_environment && ! $needs_azurite; then exit 0; fi

echo "setting up what is missing; this takes a minute or two, once"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
azurite=
if $needs_azurite; then
    install_azurite &
    azurite=$!
fi
if $needs_environment; then
    (install_environment) || {
        [ -z "$azurite" ] || wait "$azurite" || true
        exit 1
    }
fi
[ -z "$azurite" ] || wait "$azurite"
