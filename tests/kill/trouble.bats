#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# trouble.bats -- disks that are full, system calls that fail, files that are
# replaced: each has a message, the last checkpoint stands, and the workspace
# goes on and says that its last checkpoint failed.
#
# In the copy of cs-run in the folder tests/dying of the build calls fail as
# CS_FAIL says (tests/kill/die.c).

load ../guile/helper

setup_file ()
{
  pristine
  DYING=$(dirname "$(command -v cs-run)")/../tests/dying
  [ -x "$DYING/cs-run" ]
  export DYING
  persist_for_file <<'SCHEME'
(begin
  (use-modules (coldstore) (rnrs bytevectors))
  (define x 1)
  (define y #f)
  ;; Save, and say how that went.
  (define (save!)
    (catch #t
      (lambda () (checkpoint!) 'saved)
      (lambda _ (or (checkpoint-failure) 'nothing))))
  (define (tell . what)
    (write what)
    (newline)
    (force-output))
  (define (end) (kill (getpid) SIGKILL)))
SCHEME
}

setup ()
{
  store_new
}

teardown ()
{
  if mountpoint -q small; then umount -l small; fi
}

# A run of EXPR $2 in which a call fails, as CS_FAIL=$1 says.
failing_run ()
{
  run --separate-stderr bounded env CS_FAIL="$1" "$DYING/cs-run" "$STORE" \
    -c "$2" < /dev/null
}

says ()
{
  case $output in
    *"$1"*) ;;
    *) printf 'wanted: %s\n' "$1"; show ;;
  esac
}

# The store is another file: it is not known to be synced.
renew ()
{
  cp --sparse=always "$STORE" "$STORE.new"
  mv "$STORE.new" "$STORE"
}

# A call fails as $1 says, with message $2: the last checkpoint stands, and
# the next one works.  Before each run $3 is called.
one_failure ()
{
  local before=$x prepare=${3-:}

  $prepare
  failing_run "$1" "(begin (set! x (1+ x)) (tell (save!) x) (end))"
  [ "$status" -eq 137 ] || show
  says "$2"
  says " $((before + 1)))"
  answers "$before" '(write x)'
  $prepare
  failing_run "$1" "(begin (set! x (1+ x)) (tell (save!)) (tell (save!) (checkpoint-failure) x))"
  [ "$status" -eq 0 ] || show
  says "$2"
  says "(saved #f $((before + 1)))"
  x=$((before + 1))
  answers "$x" '(write x)'
  run --separate-stderr bounded cs-inspect --check "$STORE"
  [ "$status" -eq 0 ] || show
}

@test "a disk that fails, or is full, or beyond a quota" {
  local x=1

  one_failure log:1:28 'write the changes: No space left on device'
  one_failure log:1:122 'write the changes: Disk quota exceeded'
  one_failure log:2:5 'write the changes: Input/output error'
  one_failure log:1:30 'write the changes: Read-only file system'
  one_failure fdatasync:1:5 'sync the log: Input/output error'
  one_failure fsync:1:5 'sync its folder: Input/output error' renew
}

@test "a program tells from the error what kind of failure it was" {
  local each kind

  for each in log:1:28=no-space log:1:122=no-space log:2:5=system; do
    kind=${each#*=}
    failing_run "${each%=*}" "
      (with-exception-handler
        (lambda (e)
          (tell (workspace-error? e) (workspace-error-kind e)
                (equal? (workspace-error-text e) (checkpoint-failure))))
        (lambda () (set! x 2) (checkpoint!))
        #:unwind? #t)"
    [ "$status" -eq 0 ] || show
    says "(#t $kind #t)"
  done
}

@test "a checkpoint that cannot be put into the image yet is one all the same" {
  failing_run fdatasync:2:5 '(begin (set! x 2) (tell (save!)) (end))'
  [ "$status" -eq 137 ] || show
  says saved
  answers 2 '(write x)'
}

@test "the last save of a run fails: 125, and what was saved before stands" {
  failing_run log:1:28 '(set! x 2)'
  [ "$status" -eq 125 ] || show
  complained 'No space left on device'
  answers 1 '(write x)'
}

@test "writes that are short" {
  failing_run short '(begin (set! x 2) (set! y (iota 10000)) (tell (save!)))'
  [ "$status" -eq 0 ] || show
  says saved
  answers '(2 49995000)' '(write (list x (apply + y)))'
  run --separate-stderr bounded cs-inspect --check "$STORE"
  [ "$status" -eq 0 ] || show
}

# Make a file system of $1 KiB as $2 can, mount it on $PWD/small, and have a
# copy of the store there.
small_file_system ()
{
  mkdir small
  if [ "$2" = tmpfs ]; then
    mount -t tmpfs -o "size=$1k" tmpfs small 2> /dev/null
  else
    truncate -s "$1k" image
    mkfs.ext4 -q -m 0 -O ^has_journal image && mount -o loop image small
  fi 2> /dev/null || skip "cannot mount a file system of kind $2"
  cp --sparse=always "$STORE" small/b.store
}

kib_of_store ()
{
  du -k "$STORE" | cut -f 1
}

run_in_small ()
{
  run_in small/b.store "$1"
  [ "$status" -eq "${2:-0}" ] || show
}

@test "a disk that fills up, and is not full any more" {
  small_file_system $(($(kib_of_store) + 64000)) ext4
  head -c 50M /dev/zero > small/other
  run_in_small '(begin (set! x 2) (tell (save!)) (set! y (make-bytevector 20000000 7)) (set! x 3) (tell (save!)) (delete-file "small/other") (set! x 4) (tell (save!) x))'
  [ "${lines[0]}" = '(saved)' ] || show
  case ${lines[1]} in
    *'No space left on device'*) ;;
    *) show ;;
  esac
  [ "${lines[2]}" = '(saved 4)' ] || show
  run_in_small '(write x)' && printed 4
  head -c 50M /dev/zero > small/other || true
  run_in_small '(begin (set! y (make-bytevector 30000000 7)) (set! x 5) (tell (save!)) (end))' 137
  says 'No space left on device'
  run_in_small '(write x)' && printed 4
  run --separate-stderr bounded cs-inspect --check small/b.store
  [ "$status" -eq 0 ] || show
}

# Room for the log, and not for the image: what was saved stays so.
@test "a disk that fills up between a checkpoint and the image" {
  small_file_system $(($(kib_of_store) + 27000)) ext4
  run_in_small '(begin (set! y (make-bytevector 14000000 7)) (set! x 3) (tell (save!)) (set! x 4) (tell (save!)))' 125
  complained 'No space left on device'
  run_in_small '(begin (tell x (bytevector-u8-ref y 13999999)) (end))' 137 || {
    # It cannot even be opened for writing.
    [ "$status" -eq 125 ] || show
    complained 'No space left on device'
    complained $'\n  nothing is lost: free '
  }
  run --separate-stderr bounded cs-run --ephemeral small/b.store \
    -c '(write (list x (bytevector-u8-ref y 13999999)))' < /dev/null
  ended 0
  says ' 7)'
}

# Room for the log, and not for what its commits overwrite, which the history
# keeps.
@test "a disk that fills up between a checkpoint and the history" {
  small_file_system $(($(kib_of_store) + 40000)) tmpfs
  run_in_small '(define z (make-bytevector 6000000 1))'
  run_in_small '(set! x 2)'
  head -c $((($(df -k --output=avail small | tail -n 1) - 9000) * 1024)) /dev/zero > small/other
  run_in_small '(begin (bytevector-fill! z 3) (set! x 3) (tell (save!)))' 125
  # The history, or the last commit, finds no room: whichever comes later.
  says saved
  complained 'No space left on device'
  run_in_small '(write x)' 125
  complained 'in the history: No space left on device'
  complained $'\n  nothing is lost: free '
  run --separate-stderr bounded cs-run --ephemeral small/b.store \
    -c '(write (list x (bytevector-u8-ref z 5999999)))' < /dev/null
  ended 0
  printed '(3 3)'
  rm small/other
  run_in_small '(write (list x (bytevector-u8-ref z 5999999)))'
  printed '(3 3)'
}

# There a page of a hole takes memory when it is looked at.
@test "a file system in memory that is full: never a signal" {
  small_file_system $(($(kib_of_store) + 12000)) tmpfs
  run_in "$PWD/small/b.store" '(begin (set! x 2) (tell (save!)) (set! y (make-string 8000000 #\y)) (set! x 3) (tell (save!)) (set! y #f) (gc) (set! x 4) (tell (save!) x))'
  [ "$status" -eq 125 ] || show
  complained "small/b.store'"
}

@test "a limit on the size of files" {
  local limit

  # The second one is smaller than libguile is.
  for limit in 4000 1000; do
    run --separate-stderr bounded bash -c \
      "ulimit -S -f $limit; exec cs-run '$STORE' -c '(begin (set! x 2) (tell (save!) x))'" < /dev/null
    [ "$status" -eq 125 ] || show
    complained 'File too large'
    [ "$limit" -eq 1000 ] || says ' 2)'
    answers 1 '(write x)'
  done
}

@test "a file system that is read-only" {
  mkdir small
  cp --sparse=always "$STORE" small/b.store
  mount --bind small small 2> /dev/null && mount -o remount,bind,ro small \
    || skip 'cannot mount'
  run_in small/b.store 1
  [ "$status" -eq 125 ] || show
  complained 'Read-only file system'
  complained '--ephemeral'
  run --separate-stderr bounded cs-run --ephemeral small/b.store \
    -c '(write x)' < /dev/null
  ended 0 && printed 1
}

@test "a store that is deleted underneath is made anew" {
  run_in "$STORE" "(begin (set! x 2) (delete-file \"$STORE\") (tell (save!) x))"
  [ "$status" -eq 0 ] || show
  says '(saved 2)'
  answers 2 '(write x)'
}

@test "a store that is replaced underneath: the other is left alone" {
  store_new other
  run_in other.store '(define x (quote other))'
  ended 0
  run_in "$STORE" "(begin (set! x 2) (rename-file \"other.store\" \"$STORE\") (tell (save!) x))"
  [ "$status" -eq 125 ] || show
  says 'its name has gone to another file'
  says ' 2)'
  complained 'its name has gone to another file'
  answers other '(write x)'
}
