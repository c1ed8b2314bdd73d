#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# cs-inspect.bats -- the parts of a report, on real stores.

load helper

hint="  try 'cs-inspect --help'"
line=$'\n'                      # where one begins

setup_file ()
{
  export BATS_TEST_TIMEOUT=150 GUILE_AUTO_COMPILE=0
  store_for_file
}

setup ()
{
  cd "$BATS_TEST_TMPDIR" || return
  cp --sparse=always "$PRISTINE" a.store
}

# Print what EXPR... are for the last output.
json ()
{
  guile --no-auto-compile -s "$CS_SOURCE_DIR/tests/cli/json.scm" "$@" \
    <<<"$output" 3>&-
}

# Run EXPR in a.store.
workspace ()
{
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run a.store -c "$1" </dev/null 3>&-
}

# Run a command whose output is of no interest; it must end by itself.
survives ()
{
  status=0
  timeout -k 5 20 "$@" </dev/null >/dev/null 2>stderr 3>&- || status=$?
  [[ $status =~ ^[0145]$ ]] \
    || { echo "status $status: $*"; cat stderr; return 1; }
}

# Write the bytes $2 (in printf's notation) at offset $1 of a.store.
damage ()
{
  printf '%b' "$2" | dd of=a.store bs=1 seek="$1" conv=notrunc status=none
}

# The file offset of section $1 of a.store.
section ()
{
  local base addr

  base=$(cs-inspect a.store | awk '$1 == "base" { print $2 }')
  addr=$(cs-inspect a.store | awk -v name="$1" '$1 == name { print $2 }' \
         | grep '^0x')
  echo $(($(image_start) + addr - base))
}

@test "--help and --version" {
  try cs-inspect --help
  ended 0
  complained ''
  printed_part 'Usage: cs-inspect [OPTION...] STORE'
  for option in check diff files heap history json libraries modules roots symbols \
    threads quiet verbose help version
  do
    printed_part "--$option"
  done
  try cs-inspect --version
  ended 0
  complained ''
  [ "$output" = "cs-inspect (ColdStore for Guile) $(cat "$CS_SOURCE_DIR/VERSION")" ]
}

@test "misuse" {
  try cs-inspect
  ended 2
  printed ''
  complained "cs-inspect: missing operand, expected: STORE[@GENERATION]
$hint"
  try cs-inspect --everything a.store
  ended 2
  printed ''
  complained "cs-inspect: unknown option '--everything'
$hint"
}

@test "the summary" {
  try cs-inspect a.store
  ended 0
  complained ''
  [ "${lines[0]}" = 'store       a.store' ]
  [ "$(awk '/^$/ { exit } { print $1 }' <<<"$output" | paste -sd ' ')" = \
    'store machine format uuid created committed generation base reserved image on symbols threads files' ]
  [ "${lines[2]}" = 'format      3' ]
  [ "${lines[6]}" = 'generation  1' ]
  [[ ${lines[3]} =~ ^uuid\ +[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]]
  [[ ${lines[4]} =~ ^created\ +2[0-9]{3}-[0-9]{2}-[0-9]{2}\ [0-9:]{8}\ UTC$ ]]
  printed_part 'libguile-3.0.so.1 '
  printed_part 'library-data    rw- '
  [[ $output =~ "$line"guile\ +0x[0-9a-f]+ ]]
}

@test "the generation grows with each commit" {
  workspace '(define x 1)'
  try cs-inspect a.store
  ended 0
  [ "$(awk '$1 == "generation" { print $2 }' <<<"$output")" = 2 ]
}

@test "--roots" {
  try cs-inspect --roots a.store
  ended 0
  complained ''
  [ "${#lines[@]}" -eq 4 ]
  [[ ${lines[0]} =~ ^ROOT\ RANGE\ +BYTES\ +POINTERS\ +NAME$ ]]
  [ "$(awk 'NR > 1 { print $4 }' <<<"$output" | sed 's/-[0-9.]*so.*//; s/\.so.*//' | paste -sd ' ')" = \
    'libgc libguile guile' ]
}

@test "--libraries" {
  try cs-inspect --libraries a.store
  ended 0
  complained ''
  path=$(awk '$1 == "libguile-3.0.so.1" { print $NF; exit }' <<<"$output")
  [ -e "$path" ]
  id=$(awk '$1 == "libguile-3.0.so.1" { print $5; exit }' <<<"$output")
  [ "$id" = "$(file -bL "$path" | sed -n 's/.*BuildID\[sha1\]=\([0-9a-f]*\).*/\1/p')" ] \
    || [[ $id =~ ^[0-9a-f]{40}$ ]]
  [[ $output =~ NEEDED\ LIBRARY\ +SLOTS\ +BUILD\ ID ]]
  [[ $output =~ "$line"libm\.so\.6\ +0\ +[0-9a-f]+ ]]
}

# What a store carries, and what it needs of the system.
@test "--libraries: only libc's own are needed" {
  try cs-inspect --json --libraries a.store
  ended 0
  needed=$(grep -oE '"soname": *"[^"]*"' <<<"${output#*\"imports\"}" | cut -d\" -f4 | sort)
  [ -n "$needed" ]
  [ -z "$(grep -vE '^(libc|libm|libpthread|libdl|librt|ld-linux.*)\.so\.[0-9]+$' <<<"$needed")" ]
  try cs-inspect --libraries a.store
  for name in libgmp libunistring libffi libcrypt; do
    [[ $output =~ "$line"$name\.so\.[0-9]+\ +0x ]]
  done
}

@test "--libraries: one opened at run time" {
  workspace '(use-modules (system foreign)) (define m (dynamic-link "libm.so.6"))
    (define f (dynamic-func "erfc" m))'
  try cs-inspect --libraries --json a.store
  ended 0
  [ "$(json '(string-suffix? "libm.so.6" (ref d "handles" 0 "path"))' \
         '(ref d "handles" 0 "references")')" = '#t
1' ]
  try cs-inspect --symbols --json a.store
  ended 0
  [ "$(json '(ref (find (ref d "symbols") "symbol" "erfc") "dynamic")')" = '#t' ]
}

@test "--symbols" {
  try cs-inspect --symbols a.store
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^SYMBOL\ +KIND\ +LIBRARY\ +FLAGS\ +TRAMPOLINE\ +ADDRESS$ ]]
  [[ $output =~ "$line"scm_car\ +function\ +libguile-3\.0\.so\.1\ +p[u-]--\ +0x[0-9a-f]+\ +0x[0-9a-f]+ ]]
  rows=$((${#lines[@]} - 1))
  try cs-inspect a.store
  [ "$(awk '$1 == "symbols" { print $2 }' <<<"$output")" = "$rows:" ]
}

@test "--modules" {
  cat >own.scm <<'END'
(define-module (my own module) #:use-module (ice-9 popen))
(define hidden 1)
(define-public shown 2)
END
  try cs-run a.store -s own.scm
  ended 0
  try cs-inspect --modules a.store
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^MODULE\ +KIND\ +BINDINGS\ +EXPORTS\ +USES\ +ADDRESS\ +FILE$ ]]
  [[ $output =~ "$line"\(my\ own\ module\)\ +directory\ +[0-9]+\ +1\  ]]
  [[ $output =~ "$line"\(ice-9\ popen\)\ +directory\ +[0-9]+\ +[0-9]+\ +[0-9]+\ +0x[0-9a-f]+\ +ice-9/popen\.scm ]]
  try cs-inspect --modules --json a.store
  ended 0
  [ "$(json '(ref (find (ref d "modules") "name" "(my own module)") "exports")')" = 1 ]
}

@test "--files: a file at its position, and what else was open" {
  seq 100 >numbers
  touch removed
  workspace "(use-modules (ice-9 rdelim) (coldstore))
    (define p (open-input-file \"$PWD/numbers\")) (read-char p)
    (set-port-resume-rule! p 'reopen-at-end)
    (define r (open-file \"removed\" \"a\")) (delete-file \"removed\")
    (define n (open-fdes \"/\" O_RDONLY)) (define d (open-input-file \"/dev/null\"))
    (define s (socket PF_UNIX SOCK_STREAM 0)) (bind s AF_UNIX \"here\") (listen s 1)
    (define q (pipe))"
  try cs-inspect --files a.store
  ended 0
  complained ''
  [[ ${lines[0]} =~ ^DESCRIPTOR\ +KIND\ +HOLDER\ +POSITION\ +FLAGS\ +RULE\ +NAME$ ]]
  [ "$(tail -n +2 <<<"$output" | awk '{ print $1 }' | sort -nc 2>&1)" = '' ]
  [ "$(tail -n +2 <<<"$output" | sort -k 2 |
       awk '{ print $2, $3, $4, $6, $7, $8, $9 }' | sed 's/ *$//')" = \
    "deleted port 0 close $PWD/removed
device port 0 - /dev/null
directory program 0 - /
file port 1 reopen-at-end $PWD/numbers
pipe port 0 - -
pipe port 0 - -
socket port 0 - listening on 'here'" ]
  try cs-inspect --files --json a.store
  ended 0
  [ "$(json "(ref (find (ref d \"files\") \"path\" \"$PWD/numbers\") \"kind\")" \
         "(ref (find (ref d \"files\") \"path\" \"$PWD/numbers\") \"offset\")" \
         "(ref (find (ref d \"files\") \"path\" \"$PWD/numbers\") \"inode\")" \
         "(ref (find (ref d \"files\") \"path\" \"/dev/null\") \"rule\")" \
         "(ref (find (ref d \"files\") \"kind\" \"socket\") \"socket\")")" = \
    '"file"
292
'"$(stat -c %i numbers)"'
null
"listening on '"'here'"'"' ]
}

@test "--threads: none in a fresh store" {
  try cs-inspect --threads a.store
  ended 0
  complained ''
  [ "${#lines[@]}" -eq 1 ]
  [[ $output =~ THREAD\ +SINCE\ +NAME:\ STATE$ ]]
}

@test "--history: resumes with nothing to tell leave nothing" {
  workspace '(define x 1)'
  workspace '(set! x 2)'
  try cs-inspect --history a.store
  ended 0
  complained ''
  [[ ${lines[-1]} =~ ^RESUMED\ FROM\ +TIME\ +EVENT\ +OF$ ]]
  try cs-inspect --history --json a.store
  ended 0
  complained ''
  [ "$(json '(ref d "resumes")')" = '#()' ]
}

@test "--history: what a resume told, once it was committed" {
  seq 9 >numbers
  workspace '(define p (open-input-file "numbers"))'
  rm numbers
  timeout -k 5 "$CS_TEST_TIMEOUT" cs-run --no-save a.store -c 1 </dev/null 3>&-
  try cs-inspect --history a.store
  ended 0
  [[ ${lines[-1]} =~ ^RESUMED\ FROM ]]
  workspace '(close-port p)'
  try cs-inspect --history a.store
  ended 0
  complained ''
  [[ ${lines[-2]} =~ ^RESUMED\ FROM ]]
  [[ ${lines[-1]} =~ ^\ +2\ \ 2[0-9]{3}-[-0-9]{5}\ [0-9:]{8}\ UTC\ \ closed\ \ \ \ file\ \'$PWD/numbers\'\ .descriptor\ [0-9]+.:\ No\ such\ file ]]
  try cs-inspect --history --json a.store
  ended 0
  complained ''
  [ "$(json '(vector-length (ref d "resumes"))' \
         '(ref d "resumes" 0 "generation")' '(ref d "resumes" 0 "event")' \
         '(> (ref d "resumes" 0 "time") (ref d "created"))')" = '1
2
"closed"
#t' ]
}

@test "--heap: extents do not overlap and add up" {
  try cs-inspect --heap --json a.store
  ended 0
  [ "$(json '(= (apply + (map (lambda (e) (ref e "bytes"))
                              (vector->list (ref d "extents"))))
                (apply + (map (lambda (e) (ref e "bytes"))
                              (vector->list (ref d "extent_totals")))))' \
         '(let ((a (map (lambda (e) (string->number (substring (ref e "address") 2) 16))
                        (vector->list (ref d "extents")))))
            (apply < a))')" = '#t
#t' ]
  try cs-inspect --heap a.store
  ended 0
  [[ $output =~ EXTENT\ +BYTES\ +PROTECTION\ +KIND ]]
}

@test "several parts come in the order of the manual page" {
  try cs-inspect --heap --roots --files a.store
  ended 0
  [ "$(grep -oE '^ *(ROOT RANGE|DESCRIPTOR|MEMORY|EXTENT )' <<<"$output" \
       | sed 's/ *//g' | paste -sd ' ')" = 'ROOTRANGE DESCRIPTOR MEMORY EXTENT' ]
}

@test "--json: the members of the header and of the summary" {
  try cs-inspect --json a.store
  ended 0
  complained ''
  [ "$(json '(keys d)')" = \
    '("command" "schema" "store" "machine" "word_bytes" "format" "uuid" "created" "committed" "generation" "base" "reserved_bytes" "image_bytes" "disk_bytes" "symbol_counts" "thread_count" "file_count" "libraries" "sections" "extent_totals")' ]
  [ "$(json '(ref d "command")' '(ref d "store")' '(ref d "generation")')" = \
    '"cs-inspect"
"a.store"
1' ]
}

@test "--json: each part has the documented members" {
  workspace '(define m (dynamic-link "libm.so.6")) (define p (open-input-file "/etc/passwd"))'
  workspace 1
  try cs-inspect --json --roots --files --libraries --symbols --modules \
    --heap --history --check a.store
  ended 0
  complained ''
  [ "$(json '(list-tail (keys d) 14)' \
         '(map (lambda (part) (keys (ref d part 0)))
               (list-tail (keys d) 14))' | tr ')' '\n')" = \
    "$(printf '%s\n' '("roots" "files" "libraries" "handles" "imports" "symbols" "modules" "extent_totals" "extents" "generations" "resumes" "check")' \
      '(("kind" "name" "address" "bytes" "pointers") ("descriptor" "kind" "holder" "position" "offset" "flags" "rule" "path" "socket" "device" "inode" "born") ("soname" "build_id" "address" "bytes" "data_address" "data_bytes" "copy_bytes" "slots" "path") ("path" "references" "flags") ("soname" "build_id" "slots") ("symbol" "version" "library" "kind" "size" "persistent" "used" "missing" "dynamic" "trampoline" "address") ("name" "kind" "bindings" "exports" "uses" "submodules" "address" "interface" "file") ("kind" "protection" "extents" "bytes") ("address" "bytes" "protection" "kind") ("generation" "time" "pages" "bytes") ("generation" "time" "event" "text") ("subject" "ok" "found"))' \
      | tr ')' '\n')" ]
}

@test "--check of a sound store" {
  try cs-inspect --check a.store
  ended 0
  complained ''
  [ "$output" = 'CHECKED     FOUND
checksums   ok
directory   ok
extents     ok
libraries   ok
symbols     ok
imports     ok
process     ok
threads     ok
report      ok
guile       ok
modules     ok' ]
}

@test "--check: each damaged section is found, and named" {
  for name in libs/libraries intern/symbols process/process guile/modules \
    imports/imports report/report; do
    cp --sparse=always "$PRISTINE" a.store
    damage "$(section "${name%/*}")" 'XXXXXXXX'
    try cs-inspect --check a.store
    ended 4
    complained_part "cs-inspect: 'a.store': "
    complained_part ' of the checks failed'
    [ "$(awk '$1 == "directory" { print $2 }' <<<"$output")" = ok ]
    # Not the checksum alone.
    [ "$(awk -v name="${name#*/}" '$1 == name { print $2 }' <<<"$output")" != ok ]
    [ "$(awk '$2 == "ok"' <<<"$output" | wc -l)" -ge 5 ]
  done
}

@test "a section of another version is refused as one" {
  cp --sparse=always "$PRISTINE" a.store
  damage $(($(section guile) + 8)) c
  try cs-inspect --modules a.store
  ended 5
  complained_part "section 'guile' of version 99, expected"
}

@test "--check: a changed byte in a carried copy's build id" {
  offset=$(grep -obUaP 'GNU\0' a.store | head -n 1 | cut -d : -f 1)
  [ -n "$offset" ] || skip 'no note found'
  damage $((offset + 4)) '\x01\x02\x03'
  try cs-inspect --check a.store
  ended 4
  [[ $output =~ libraries\ +\'a\.store\':\ copy\ of\ lib.*:\ build\ id:\ expected\  ]]
}

@test "a damaged part does not keep others from being printed" {
  damage "$(section process)" 'XXXXXXXX'
  try cs-inspect --files --roots a.store
  ended 4
  complained "cs-inspect: 'a.store' is damaged: section 'process', offset 0: magic: expected 'ColdPro', found 'XXXXXXXX'"
  printed_part 'ROOT RANGE'
  try cs-inspect --json --files --roots a.store
  ended 4
  [ "$(json '(ref d "files")')" = null ]
  try cs-inspect a.store
  ended 4
  printed_part 'SECTION'
}

@test "beside a live writer: the last commit" {
  hold a.store
  before=$(state_of a.store)
  try cs-inspect --check a.store
  ended 0
  complained ''
  try cs-inspect a.store
  ended 0
  complained ''
  [ "$(state_of a.store)" = "$before" ]
  let_go || true
}

@test "what is no store" {
  try cs-inspect missing.store
  refused 1 "'missing.store'"
  echo 'not a store' >text.store
  try cs-inspect text.store
  refused 4 "'text.store'"
  try cs-inspect --json text.store
  refused 4 "'text.store'"
  mkdir folder.store
  try cs-inspect folder.store
  refused 1 "'folder.store'"
  : >empty.store
  try cs-inspect empty.store
  refused 4 "'empty.store'"
}

@test "truncated stores" {
  size=$(stat -c %s a.store)
  for length in 1 100 4096 65536 70000 "$(image_start)" $((size / 2)) $((size - 1)); do
    head -c "$length" a.store >short.store
    try cs-inspect --check short.store
    refused 4 "'short.store'"
  done
}

@test "another format version" {
  # The slot in force is found by its CRC, so both are spoilt; only the
  # version is read from a superblock that cannot be.
  damage 8 '\x09\0\0\0'
  damage 4104 '\x09\0\0\0'
  try cs-inspect a.store
  [ "$status" -eq 4 ] || [ "$status" -eq 5 ]
  printed ''
}

@test "flipped bytes never end it by a signal" {
  size=$(stat -c %s a.store)
  parts=(--roots --threads --files --libraries --symbols --modules --heap
    --history --check)
  RANDOM=1
  for ((i = 0; i < 30; i++)); do
    # The head of the file, the sections, then anywhere.
    case $((i % 3)) in
      0) range=$(($(image_start) + 4096)) ;;
      1) range=$((6 * 1024 * 1024)) ;;
      2) range=$size ;;
    esac
    cp --sparse=always "$PRISTINE" a.store
    for ((k = 0; k < 10; k++)); do
      damage $(((RANDOM * 32768 + RANDOM) % range)) \
        "\\x$(printf %02x $((RANDOM % 256)))"
    done
    survives cs-inspect a.store
    survives cs-inspect "${parts[@]}" a.store
    survives cs-inspect --json "${parts[@]}" a.store
    survives cs-inspect --diff=1 a.store
  done
}

# The file offset of a page of a.store's heap that holds something.
heap_page() {
  local addr base
  addr=$(cs-inspect --roots a.store | awk '$4 == "libguile-3.0.so.1" { print $1 }')
  base=$(cs-inspect a.store | awk '$1 == "base" { print $2 }')
  echo $(($(image_start) + addr - base + 8192))
}

@test "--check: a damaged page is found, and what it belongs to" {
  cp --sparse=always "$PRISTINE" a.store
  damage $(($(heap_page) + 17)) '\xa5'
  try cs-inspect --check a.store
  ended 4
  printed_part 'checksums   page at 0x'
  printed_part '(data of libguile-3.0.so.1), offset'
  complained_part '1 of the checks failed'
}

@test "--apply: the log goes into the image, beside nobody" {
  cp --sparse=always "$PRISTINE" a.store
  for x in 1 2 3; do cs-run a.store -c "(define x $x)"; done
  before=$(stat -c %s a.store)
  cs-run --ephemeral a.store -c '(begin (display "go") (newline) (force-output) (read))' \
    < <(sleep 20) >out 2>&1 3>&- &
  reader=$!
  until grep -q go out; do kill -0 $reader; sleep 0.05; done
  try cs-inspect --apply a.store
  refused 1 "cannot apply the log of 'a.store': another process reads the store"
  try cs-run --ephemeral a.store -c '(write x)'
  printed 3
  kill -9 $reader
  wait $reader || true
  try cs-inspect --apply a.store
  ended 0
  [[ $output == 'a.store: 2 commits applied, '*' KiB of log cut off' ]]
  [ "$(stat -c %s a.store)" -lt "$before" ]
  try cs-inspect --apply a.store
  printed 'a.store: nothing to apply'
  try cs-inspect --check a.store
  ended 0
  try cs-run --generation=2 --ephemeral a.store -c '(write x)'
  printed 1
  try cs-inspect --apply --check a.store
  refused 2 "option '--apply' excludes all others"
  try cs-inspect --apply nowhere.store
  refused 1 "'nowhere.store'"
}

@test "--apply: beside a process that runs the workspace" {
  cp --sparse=always "$PRISTINE" a.store
  cs-run a.store -c '(define x 1)'
  cs-run a.store -c '(begin (display "go") (newline) (force-output) (read))' \
    < <(sleep 20) >out 2>&1 3>&- &
  writer=$!
  until grep -q go out; do kill -0 $writer; sleep 0.05; done
  try cs-inspect --apply a.store
  refused 3 'held by process'
  kill -9 $writer
  wait $writer || true
  try cs-run a.store -c '(write x)'
  printed 1
}

@test "--repair: the newest generation that is whole, and nothing is lost" {
  cp --sparse=always "$PRISTINE" a.store
  cs-run a.store -c '(define x 1)'
  cs-run a.store -c '(define x 2)'
  try cs-inspect --repair a.store
  ended 0
  printed 'a.store: nothing to repair'
  # Only generation 3 has this page: it is what its commit wrote.
  cs-run a.store -c '(define y (make-string 100000 #\z))'
  offset=$(grep -obUaP 'zzzzzzzzzz' a.store | tail -n 1 | cut -d : -f 1)
  [ -n "$offset" ]
  damage "$offset" 'y'
  try cs-inspect --check a.store
  ended 4
  cp --sparse=always a.store before
  try cs-inspect --repair a.store
  ended 0
  [ "$output" = 'a.store: made anew from generation 3, the newest that is whole, of 4; the damaged store is now a.store.damaged' ]
  cmp a.store.damaged before
  [ -d a.store.damaged-history ] && [ ! -e a.store-history ]
  try cs-inspect --check a.store
  ended 0
  try cs-run a.store -c '(display (list x (defined? (quote y))))'
  ended 0
  printed '(2 #f)'
}

@test "--repair: a damaged superblock, and wrong use" {
  cp --sparse=always "$PRISTINE" a.store
  damage 4100 'XXXX'
  try cs-inspect --check a.store
  ended 4
  printed_part 'checksums   superblock at offset 4096: checksum: '
  try cs-inspect --repair a.store
  ended 0
  printed_part 'made anew from generation 1, the newest; '
  try cs-inspect --check a.store
  ended 0
  damage 10 'XXXX'
  damage 4100 'XXXX'
  try cs-inspect --repair a.store
  refused 4 "cannot repair 'a.store'"
  try cs-inspect --repair --roots a.store
  refused 2 "excludes all others"
  try cs-inspect --repair nowhere.store
  refused 1 "'nowhere.store'"
}

# The directory's page was another one before the second run needed memory for
# code.
@test "--repair: a damaged directory, and an older generation that has another" {
  for x in '(ice-9 peg)' '(srfi srfi-171)'; do
    workspace "(use-modules $x)"
  done
  # The offset of the first section.
  damage $(($(image_start) + 50)) '\x5a'
  try cs-inspect a.store
  refused 4 "cannot open 'a.store': section at offset 32"
  whole=''
  for generation in 3 2 1; do
    try cs-inspect --check "a.store@$generation"
    if [ "$status" -eq 0 ]; then
      whole=$generation
      break
    fi
  done
  [ -n "$whole" ]
  try cs-inspect --repair a.store
  ended 0
  printed "a.store: made anew from generation $whole, the newest that is whole, of 3; the damaged store is now a.store.damaged"
  try cs-inspect --check a.store
  ended 0
}

@test "--repair: no generation is whole" {
  cp --sparse=always "$PRISTINE" a.store
  damage $(($(heap_page) + 17)) '\xa5'
  cp --sparse=always a.store before
  try cs-inspect --repair a.store
  refused 4 'none of the generations that are kept is whole'
  complained_part 'restore it from a backup'
  cmp a.store before
  [ ! -e a.store.damaged ]
}
