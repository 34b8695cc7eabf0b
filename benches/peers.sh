#!/usr/bin/env bash
# Installs the other tools that the benches run beside ours, in FOLDER: Mercurial and hg-git from PyPI,
# git-cinnabar from crates.io (built for some minutes, with the headers of libcurl, and a C compiler), and
# hg-fast-export, which is in no registry, from a checkout that FAST_EXPORT names.
#
#   benches/peers.sh FOLDER
set -euo pipefail
folder=${1:?benches/peers.sh FOLDER}
mkdir -p "$folder"
cd "$folder"

if [[ ! -x venv/bin/hg ]]; then
  python3 -m venv venv
  # The newest Mercurial that hg-git 1.2 works with.
  venv/bin/pip -q install --disable-pip-version-check 'mercurial<7.2' hg-git==1.2.0 dulwich==0.22.8
fi

if [[ ! -x cinnabar/bin/git-cinnabar ]]; then
  cargo install --quiet --locked git-cinnabar@0.7.5 --root cinnabar
fi
ln -sf git-cinnabar cinnabar/bin/git-remote-hg

if [[ -n ${FAST_EXPORT:-} ]]; then
  ln -sfn "$(realpath "$FAST_EXPORT")" fast-export
elif [[ ! -e fast-export ]]; then
  echo 'peers: without hg-fast-export: set FAST_EXPORT to a checkout of it' >&2
fi
