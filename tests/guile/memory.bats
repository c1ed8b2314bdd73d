# SPDX-License-Identifier: LGPL-3.0-or-later
# shellcheck shell=bash
# memory.bats -- where a workspace's memory lies, and what of it is resident.

load helper

@test "the collector's memory lies above compiled files and libraries" {
  persist << 'EOF'
(begin
  (use-modules (system foreign) (system vm program))
  (define old (make-vector 1000 0)))
EOF
  answers '(#t #t #t)' << 'EOF'
(let ((file (program-code map))
      (library (pointer-address (dynamic-func "scm_car" (dynamic-link)))))
  (write (map (lambda (object)
                (> (object-address object) (max file library)))
              (list old (make-vector 1000 0) (make-string 1000000 #\x)))))
EOF
}

@test "the kernel does not read ahead in a store that is in memory" {
  local mappings

  persist '(define x 1)'
  mappings=$(bounded cs-run --ephemeral "$STORE" -c \
    '(system* "cat" (format #f "/proc/~a/smaps" (getpid)))' < /dev/null)
  # The largest ones, by far: image and heap.
  awk -v store="$STORE" '
    /^[0-9a-f]+-[0-9a-f]+ / { ours = index($0, store) && / rw-p / }
    ours && /^Size:/ { size = $2 }
    ours && size >= 1024 && /^VmFlags:/ { count++; if (!/ rr( |$)/) bad = 1 }
    END { exit bad || count == 0 }' <<< "$mappings"
}

# Take what is clean of the store's file out of the page cache.
evict ()
{
  sync "$STORE"
  dd of="$STORE" oflag=nocache conv=notrunc count=0 status=none
}

# How many bytes of the store's file are in the page cache?
cached ()
{
  fincore --bytes --noheadings --output RES "$STORE" | tr -d ' '
}

# Zeros have no place in the file, but in the image.
@test "it reads ahead behind the beginning of a large heap" {
  persist '(use-modules (rnrs bytevectors)) (define large (make-bytevector 300000000 0))'
  bounded cs-run --ephemeral "$STORE" -c \
    '(system* "cat" (format #f "/proc/~a/smaps" (getpid)))' < /dev/null > mappings
  # The largest one that is not read ahead in has 128 MiB, and one that is has
  # more.
  awk -v store="$STORE" '
    /^[0-9a-f]+-[0-9a-f]+ / { ours = index($0, store) && / rw-p / }
    ours && /^Size:/ { size = $2 }
    ours && /^VmFlags:/ {
      if (/ rr( |$)/) { random++; bad += size > 131072 }
      else { others += size > 131072 }
    }
    END { exit bad || !random || !others }' mappings
}

@test "it reads ahead in a store that is not in memory" {
  command -v fincore > /dev/null || skip "no fincore"
  persist '(define x 1)'
  evict
  [ "$(cached)" -eq 0 ] || skip "no file can be taken out of the page cache here"
  bounded cs-run --ephemeral "$STORE" -c \
    '(system* "cat" (format #f "/proc/~a/smaps" (getpid)))' < /dev/null > mappings
  ! awk -v store="$STORE" '
    /^[0-9a-f]+-[0-9a-f]+ / { ours = index($0, store) && / rw-p / }
    ours && /^VmFlags:/ && / rr( |$)/' mappings | grep .
}

@test "the first collection of a large heap has the kernel read it" {
  command -v fincore > /dev/null || skip "no fincore"
  command -v strace > /dev/null || skip "no strace"
  persist '(use-modules (rnrs bytevectors)) (define large (make-bytevector 300000000 0))'
  evict
  [ "$(cached)" -eq 0 ] || skip "no file can be taken out of the page cache here"
  bounded strace -f -e trace=fadvise64 -o trace cs-run --ephemeral "$STORE" -c 1 < /dev/null
  [ "$(grep -c WILLNEED trace)" -eq 0 ]
  bounded strace -f -e trace=fadvise64 -o trace cs-run --ephemeral "$STORE" -c '(gc)' < /dev/null
  grep WILLNEED trace
}

@test "a new workspace has no more code of the JIT than a boot makes" {
  local mappings

  mappings=$(bounded cs-run --ephemeral "$STORE" -c \
    '(system* "cat" (format #f "/proc/~a/smaps" (getpid)))' < /dev/null)
  # 0.5 MiB with Guile 3.0.8; 0.9 MiB if its expander is among it.
  awk '
    /^[0-9a-f]+-[0-9a-f]+ / { code = / rwxp / }
    code && /^Rss:/ { resident += $2 }
    END {
      print resident " KiB"
      exit ! (resident > 0 && resident < 720)
    }' <<< "$mappings"
}

@test "a collector that was disabled works in the next process" {
  persist '(gc-disable)'
  answers '#t' '(begin (do ((i 0 (1+ i))) ((= i 1000)) (make-vector 20000 i))
    (write (< (assq-ref (gc-stats) (quote heap-size)) 80000000)))'
}

# A checkpoint waits for nobody who only has no wish to be collected.
@test "a thread that has disabled the collector can be stopped for a checkpoint" {
  killed << 'EOF'
(begin
  (use-modules (ice-9 threads))
  (define disabled #f)
  (call-with-new-thread
    (lambda () (gc-disable) (set! disabled #t) (let loop () (loop))))
  (let loop () (unless disabled (loop))))
EOF
  [ -z "$stderr" ] || show
  answers '#t' '(write disabled)'
}

# Print the protections of what is mapped in section "code", in the maps(5) on
# standard input, each once.
code_protections ()
{
  local address len

  read -r address len <<< "$(cs-inspect "$STORE" \
    | awk '$1 == "code" { print $2, $3; exit }')"
  while read -r range protection _; do
    if ((0x${range%-*} < address + len && 0x${range#*-} > address)); then
      echo "$protection"
    fi
  done | sort -u
}

@test "trampolines are executable and never writable, new ones neither" {
  local maps='(system* "cat" (format #f "/proc/~a/maps" (getpid)))'

  for what in '1' \
    '(begin (use-modules (system foreign)) (define f (dynamic-func "getppid" (dynamic-link))) (define g (procedure->pointer int (lambda () 7) (list))))' \
    '((@ (coldstore) checkpoint!))' '(gc)'; do
    run_in "$STORE" "$what $maps"
    ended 0
    [ "$(code_protections <<< "$output")" = r-xp ] || show
  done
  answers '#t' '(write (= ((pointer->procedure int f (list))) (getppid)))'
  answers '7' '(write ((pointer->procedure int g (list))))'
}

@test "a small heap is not collected before 1.5 MiB were allocated" {
  persist '(use-modules (system foreign) (system foreign-library))'
  # Whatever size it happens to have: at most every 16 MB / 1.5 MiB.
  for room in {0..786432..65536}; do
    run --separate-stderr bounded cs-run --ephemeral "$STORE" -c "
      (let ((more (foreign-library-function \"libgc.so.1\" \"GC_expand_hp\"
                    #:return-type int #:arg-types (list size_t)))
            (stat (lambda (name) (assq-ref (gc-stats) name))))
        (when (> $room 0)
          (more $room))
        (let ((times (stat 'gc-times))
              (end (+ 16000000 (stat 'heap-total-allocated))))
          (while (< (stat 'heap-total-allocated) end)
            (make-vector 100 0))
          (let ((times (- (stat 'gc-times) times)))
            (write (or (<= 1 times 11) times)))))" < /dev/null
    ended 0
    printed '#t'
  done
}

@test "what a call has left on the stack keeps nothing alive" {
  extension left <<'E'
#include <libguile.h>
static void __attribute__ ((noinline)) leave (SCM x)
{
  volatile SCM words[400];
  for (int i = 0; i < 400; i++)
    words[i] = x;
}
static SCM make (SCM guardian)
{
  SCM x = scm_cons (SCM_EOL, SCM_EOL);
  scm_call_1 (guardian, x);
  leave (x);
  return SCM_UNSPECIFIED;
}
static SCM collect (void) { scm_gc (); return SCM_UNSPECIFIED; }
void init_left (void)
{
  scm_c_define_gsubr ("make", 1, 0, 0, make);
  scm_c_define_gsubr ("collect", 0, 0, 0, collect);
}
E
  persist "(load-extension \"$PWD/libleft\" \"init_left\")"
  # Something else may hold one of them: a register, a word of the markers'.
  answers '#t' '(define (try) (let ((g (make-guardian))) (make g) (collect) (pair? (g)))) (write (and (memq #t (map (lambda (i) (try)) (iota 5))) #t))'
}

# libguile queues its one cell for the hook only while the cell is in no queue.
@test "after-gc-hook runs in the next process, also if a collection came just before the end" {
  local end
  for end in '(exit)' '(begin (checkpoint!) (kill (getpid) SIGKILL))'; do
    store_fresh
    run --separate-stderr bounded cs-run "$STORE" -c \
      "(begin (use-modules (coldstore)) (define n 0) (add-hook! after-gc-hook (lambda () (set! n (1+ n))))
         (call-with-blocked-asyncs (lambda () (gc) $end)))" < /dev/null
    answers '#t' '(set! n 0) (gc) (gc) (write (> n 0))'
  done
}
