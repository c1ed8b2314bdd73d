# SPDX-License-Identifier: LGPL-3.0-or-later
# shellcheck shell=bash
# roots.bash -- small Debian systems to build and run in, below $cache.
#
# Mirror, keys and apt's settings are those of this machine; DEBIAN_MIRROR and
# DEBIAN_KEYRING say other ones.  What apt fetches is kept in $cache/archives,
# the small system as it was made in $cache/RELEASE.tar.

# Print the name that the mirror knows RELEASE by; 13/i386 is 13.
suite_of ()
{
  case ${1%/*} in
    12) echo bookworm ;;
    13) echo trixie ;;
    *) echo "${1%/*}" ;;
  esac
}

machine_of ()
{
  case $1 in
    */*) echo "${1#*/}" ;;
    *) native_machine ;;
  esac
}

native_machine ()
{
  dpkg --print-architecture 2>/dev/null || uname -m
}

# shellcheck disable=SC2154     # cache is the caller's
root_of ()
{
  echo "$cache/${1/\//-}"
}

mirror ()
{
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    echo "$DEBIAN_MIRROR"
  else
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
      'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1
  fi
}

# Print why no root can be made on this machine, if that is so.
roots_impossible ()
{
  [ "$(id -u)" -eq 0 ] || { echo 'only root can make one'; return; }
  command -v mmdebstrap >/dev/null || { echo 'no mmdebstrap'; return; }
  command -v unshare >/dev/null || { echo 'no unshare'; return; }
  unshare --mount --pid --fork true 2>/dev/null \
    || { echo 'no name spaces of mounts and processes'; return; }
  [ -n "$(mirror)" ] || echo 'no mirror: set DEBIAN_MIRROR'
}

# Print what apt must know to fetch packages here, as options of mmdebstrap.
apt_settings ()
{
  apt-config dump --format '%f "%v";%n' | grep -E \
    '^Acquire::(https?::|ftp::|Retries|Check-(Date|Valid-Until)).* "[^"]+";$' \
    | sed 's/^/--aptopt=/'
}

keyrings ()
{
  local ring

  for ring in ${DEBIAN_KEYRING:-/etc/apt/trusted.gpg.d /usr/share/keyrings}; do
    [ ! -e "$ring" ] || echo "--keyring=$ring"
  done
}

# Make the archive of RELEASE's small system: apt, its essentials and make.
fetch_root ()
{
  local options archive
  archive=$(root_of "$1").tar

  [ ! -s "$archive" ] || return 0
  mapfile -t options < <(apt_settings; keyrings)
  # A mirror that does not answer is none.
  timeout -k 10 600 unshare --mount mmdebstrap --mode=root --format=tar --variant=apt --include=make \
    --architectures="$(machine_of "$1")" "${options[@]}" \
    "$(suite_of "$1")" "$archive.new" "$(mirror)" </dev/null >&2 \
    || { rm -f "$archive.new"; return 1; }
  mv "$archive.new" "$archive"
}

# Make the root of RELEASE as it was, with the sources in /src.
new_root ()
{
  local root
  root=$(root_of "$1")

  fetch_root "$1" || return
  rm -rf --one-file-system "$root"
  mkdir -p "$root" "$cache/archives"
  tar -C "$root" --numeric-owner -xpf "$root.tar" || return
  mkdir -p "$root/src" "$root/cs"
  copy_sources "$root/src"
}

copy_sources ()
{
  (cd "$CS_SOURCE_DIR" \
   && { git ls-files -z 2>/dev/null | grep -z . \
        || find . -path ./build -prune -o -type f -print0; } \
      | tar --null -T - -cf -) | tar -C "$1" --no-same-owner -xf -
}

# Run COMMAND in the root of RELEASE, in /cs, for at most LIMIT seconds.  Its
# mounts and processes end with it.
in_root ()
{
  local root limit=${LIMIT:-60}
  root=$(root_of "$1")
  shift

  [ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf "$root/etc/resolv.conf"
  # shellcheck disable=SC2016     # the inner shell's
  timeout -k 10 "$limit" unshare --mount --pid --fork --kill-child sh -c '
    root=$1 archives=$2
    shift 2
    mount -t proc proc "$root/proc" \
    && mount --rbind /dev "$root/dev" \
    && mount --bind "$archives" "$root/var/cache/apt/archives" \
    && exec chroot "$root" /usr/bin/env -i -C /cs HOME=/root LC_ALL=C.UTF-8 \
         PATH=/cs/bin:/usr/sbin:/usr/bin:/sbin:/bin GUILE_AUTO_COMPILE=0 \
         DEBIAN_FRONTEND=noninteractive "$@"' \
    sh "$root" "$cache/archives" "$@"
}
