#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# modules.bats -- modules, imports, load paths and files loaded earlier.

# shellcheck disable=SC2154     # runner is set by start

load helper

teardown ()
{
  talk_over
}

# Write the module (mine NAME) with BODY below the directory lib.
module_file ()
{
  mkdir -p lib/mine
  printf '(define-module (mine %s))\n%s\n' "$1" "$2" > "lib/mine/$1.scm"
}

# Load the text on standard input as a file that is gone afterwards.  (-c
# evaluates each expression in the module that was current before it, so
# define-module has no lasting effect there.)
load_text ()
{
  cat > text.scm
  run --separate-stderr bounded cs-run "$STORE" -l text.scm -c 1 < /dev/null
  rm text.scm
  ended 0
}

@test "a module defined by a file is used in the next process" {
  load_text <<< '(define-module (mine inline) #:export (f)) (define (f x) (g x)) (define (g x) (* x x))'
  answers '(49 #f)' "(use-modules (mine inline)) (write (list (f 7) (defined? 'g)))"
}

@test "the REPL begins in (guile-user), as guile's own; a module made in it stays" {
  printf "(define-module (mine here))\n(define x 11)\n" > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  ended 0
  answers '((guile-user) #f 11)' "(write (list (module-name (current-module)) (defined? 'x) (@@ (mine here) x)))"
  printf "(define y 12)\n" > input
  run --separate-stderr bounded cs-run "$STORE" -q < input
  ended 0
  answers '((guile-user) 12 11)' "(write (list (module-name (current-module)) y (@@ (mine here) x)))"
}

@test "imports hold in the next process" {
  persist '(use-modules (srfi srfi-1) ((srfi srfi-13) #:select (string-index)) ((srfi srfi-14) #:prefix cs:))'
  answers '((0 1 2) 1 #t)' '(write (list (take (iota 10) 3) (string-index "abc" #\b) (cs:char-set? cs:char-set:digit)))'
}

@test "an import with a renamer and one that hides" {
  persist '(use-modules ((srfi srfi-1) #:select ((fold . left-fold))) ((ice-9 match) #:renamer (symbol-prefix-proc (quote m:))))'
  answers '(6 2)' "(write (list (left-fold + 0 '(1 2 3)) (m:match '(1 2) ((a b) b))))"
}

@test "modules of Guile are first loaded in a later process" {
  persist '(define x 1)'
  answers '(3 #t)' "(use-modules (ice-9 peg) (sxml simple) (web uri)) (write (list (length (cdr (cadr (xml->sxml \"<a><b/><b/><b/></a>\")))) (uri? (string->uri \"http://example.org/\"))))"
  answers '"example.org"' '(write (uri-host (string->uri "http://example.org/")))'
}

@test "an autoload fires in a later process" {
  load_text <<< '(define-module (mine lazy) #:autoload (sxml simple) (xml->sxml)) (define (f s) (xml->sxml s))'
  answers '(*TOP* (a))' '(write ((@@ (mine lazy) f) "<a/>"))'
}

@test "a module of -L goes on after its directory is gone" {
  module_file gone '(define-public n 0) (define-public (next!) (set! n (1+ n)) n)'
  run --separate-stderr bounded cs-run "$STORE" -L lib -c '(use-modules (mine gone)) (next!)' < /dev/null
  ended 0
  rm -r lib
  answers '2' '(write (next!))'
  answers '3' '(use-modules (mine gone)) (write (next!))'
}

@test "a module's file changed since does not change the loaded module" {
  module_file held '(define-public (edition) 1)'
  run --separate-stderr bounded cs-run "$STORE" -L "$PWD/lib" -c '(use-modules (mine held))' < /dev/null
  ended 0
  module_file held '(define-public (edition) 2)'
  answers 1 '(write (edition))'
  answers 2 "(reload-module (resolve-module '(mine held))) (write (edition))"
}

@test "a directory added to %load-path is searched in the next process" {
  module_file later '(define-public answer 42)'
  persist "(add-to-load-path \"$PWD/lib\")"
  answers '42' '(use-modules (mine later)) (write answer)'
}

@test "-L applies to its own process and puts the directory first" {
  module_file once '(define-public answer 42)'
  run --separate-stderr bounded cs-run "$STORE" -L "$PWD/lib" -c '(write (car %load-path))' < /dev/null
  ended 0
  printed "\"$PWD/lib\""
}

@test "a module compiled to a .go file goes on after the file is gone" {
  module_file fast '(define-public (sum n) (let loop ((i 0) (s 0)) (if (= i n) s (loop (1+ i) (+ s i))))) (define-public table (list 1 "two" (quote three)))'
  mkdir -p go/mine
  bounded guild compile -L lib -o go/mine/fast.go lib/mine/fast.scm
  run --separate-stderr bounded cs-run "$STORE" -L lib -C go -c '(use-modules (mine fast)) (sum 100000)' < /dev/null
  ended 0
  rm -r lib go
  answers '(499500 (1 "two" three))' '(write (list (sum 1000) table))'
  answers '499500' '(gc) (write (sum 1000))'
}

@test "a .go file overwritten in place does not change loaded code" {
  module_file fast '(define-public (f) "first")'
  mkdir -p go/mine
  bounded guild compile -L lib -o go/mine/fast.go lib/mine/fast.scm
  run --separate-stderr bounded cs-run "$STORE" -L lib -C go -c '(use-modules (mine fast)) (f)' < /dev/null
  ended 0
  head -c 100000 /dev/zero > go/mine/fast.go
  answers '"first"' '(write (f))'
}

@test "auto-compilation writes its cache and loads from it" {
  module_file auto '(define-public (f) (quote auto))'
  export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
  run --separate-stderr bounded cs-run "$STORE" --auto-compile -L lib -c '(use-modules (mine auto)) (write (f))' < /dev/null
  [ "$status" -eq 0 ] || show
  printed auto
  answers auto '(write (f))'
}

@test "definitions of a loaded file outlive the file" {
  echo '(define (from-file x) (list x (current-filename)))' > defs.scm
  persist "(load \"$PWD/defs.scm\")"
  rm defs.scm
  answers '(5)' '(write (list (car (from-file 5))))'
}

@test "a library of R6RS is defined, then imported in a later process" {
  persist '(library (mine r6) (export f) (import (rnrs)) (define (f x) (vector-map (lambda (y) (* y x)) (vector 1 2 3))))'
  answers '#(2 4 6)' '(import (mine r6)) (write (f 2))'
}

@test "an R7RS library too" {
  persist '(define-library (mine r7) (export g) (import (scheme base) (scheme char)) (begin (define (g) (string-map char-upcase "abc"))))'
  answers '"ABC"' '(import (mine r7)) (write (g))'
}

@test "exported variables of a module are shared, @ and @@ reach them" {
  load_text <<< '(define-module (mine vars) #:export (pub)) (define pub 1) (define priv 2)'
  persist '(set! (@@ (mine vars) priv) 20) (set! (@@ (mine vars) pub) 10)'
  answers '(10 20)' '(write (list (@ (mine vars) pub) (@@ (mine vars) priv)))'
}

@test "module-define!, module-ref and module-map over a made module" {
  persist "(define m (make-module)) (module-define! m 'a 1)"
  persist "(module-define! m 'b 2)"
  answers '(1 2 (a b))' "(write (list (module-ref m 'a) (module-ref m 'b) (sort (module-map (lambda (k v) k) m) (lambda (x y) (string<? (symbol->string x) (symbol->string y))))))"
}

@test "a module's syntax is exported to importers of a later process" {
  load_text <<< '(define-module (mine syn) #:export-syntax (inc!)) (define-syntax-rule (inc! v) (set! v (helper v))) (define (helper x) (+ x 100))'
  persist '(use-modules (mine syn)) (define x 1)'
  answers '101' '(inc! x) (write x)'
}

@test "a cycle of two modules" {
  mkdir -p lib/mine
  echo '(define-module (mine ping) #:use-module (mine pong) #:export (ping)) (define (ping n) (if (zero? n) "ping" (pong (1- n))))' > lib/mine/ping.scm
  echo '(define-module (mine pong) #:use-module (mine ping) #:export (pong)) (define (pong n) (if (zero? n) "pong" (ping (1- n))))' > lib/mine/pong.scm
  run --separate-stderr bounded cs-run "$STORE" -L lib -c '(use-modules (mine ping))' < /dev/null
  ended 0
  rm -r lib
  answers '("ping" "pong")' '(write (list (ping 1000) (ping 1001)))'
}

@test "a failed load leaves the store usable" {
  module_file broken '(define-public a 1) (error "not today")'
  run --separate-stderr bounded cs-run "$STORE" -L lib -c '(use-modules (mine broken))' < /dev/null
  ended 1
  complained 'not today'
  answers '3' '(write (+ 1 2))'
}

@test "a missing module is the ordinary error" {
  same_as_guile -c '(use-modules (mine absent))'
  [ "$status" -eq 1 ]
  complained 'no code for module (mine absent)'
}

@test "data files found through %load-path" {
  mkdir -p lib
  echo '(1 2 3)' > lib/data.txt
  persist "(add-to-load-path \"$PWD/lib\")"
  answers '(1 2 3)' '(write (call-with-input-file (%search-load-path "data.txt") read))'
}

@test "public interfaces of modules loaded earlier stay complete" {
  persist "(define (exports name) (module-map (lambda (k v) (variable-bound? v)) (resolve-interface name))) (define before (map exports '((guile) (srfi srfi-1) (ice-9 threads) (oop goops))))"
  answers '#t' "(define now (map exports '((guile) (srfi srfi-1) (ice-9 threads) (oop goops)))) (write (equal? (map (lambda (l) (list (length l) (length (filter identity l)))) before) (map (lambda (l) (list (length l) (length (filter identity l)))) now)))"
}

# Are two procedures of (coldstore) compiled?  The evaluator's of the same
# arity have the same code.
are_compiled='(use-modules (coldstore) (system vm program))
  (write (not (= (program-code workspace-file) (program-code checkpoint!))))'

@test "the store's own modules are compiled" {
  answers '#t' "$are_compiled"
}

# A Guile older than that of the build refuses compiled code; here because it is
# marked as of another system (ELF, EI_OSABI; Guile's own is 255).
@test "the store's own modules are evaluated where their code is refused" {
  LC_ALL=C sed 's/\(\x7fELF..\x01\)\xff/\1\x00/g' "$(command -v cs-create)" \
    > other-create
  [ "$(cmp -l "$(command -v cs-create)" other-create | wc -l)" -eq 5 ]
  chmod +x other-create
  rm "$STORE"
  bounded ./other-create "$STORE" < /dev/null
  answers '#f' "$are_compiled"
  persist '(use-modules (coldstore) (srfi srfi-18))'
  answers '3' '(write (workspace-generation))'
  GUILE_LOAD_PATH=$PWD answers "$PWD" '(display (car %load-path))'
}

# Modules whose loading has not ended.

# The module (slow), which does BODY half way unless AGAIN is set.
slow_module ()
{
  mkdir -p lib
  echo "(define-module (slow) #:export (a b)) (define a 1) (unless (getenv \"AGAIN\") $1) (define b 2) (define-public c 3)" > lib/slow.scm
}

ready='(display "ready\n") (force-output)'
forever='(let loop () (usleep 1000) (loop))'
use_slow='(define before 1) (use-modules (slow)) (define after 1)'
killed_inside='(kill (getpid) SIGKILL)'

# Use (slow) in a process that ends while it is loaded, with STATUS.
cut_off ()
{
  run --separate-stderr bounded cs-run "$STORE" -L lib -c "$use_slow" < /dev/null
  [ "$status" -eq "$1" ] || show
}

# The next run begins outside of (slow), and loads it as a whole.
slow_is_loaded_again ()
{
  AGAIN=1 run --separate-stderr bounded cs-run --verbose "$STORE" -L lib -c "(write (list (module-name (current-module)) (defined? 'before) (defined? 'after))) $use_slow (write (list a b c))" < /dev/null
  [ "$status" -eq 0 ] || show || return 1
  printed '((guile-user) #t #f)(1 2 3)' || return 1
  complained 'stopped: module (slow): its loading had not ended: it is loaded again when it is used' || return 1
  answers '(1 2 3)' '(write (list a b c))'
}

@test "a module that was being loaded when the workspace was left is loaded again" {
  local signal
  slow_module "$ready $forever"
  for signal in HUP TERM; do
    store_fresh
    start cs-run "$STORE" -L lib -c "$use_slow"
    heard ready
    kill -"$signal" "$runner"
    ends $((128 + $(kill -l "$signal")))
    slow_is_loaded_again
  done
}

@test "a module that was being loaded at a checkpoint is loaded again after a kill" {
  local save
  for save in '(checkpoint!)' '(let ((g (workspace-generation))) (kill (getpid) SIGUSR1) (let loop () (usleep 1000) (when (= g (workspace-generation)) (loop))))'; do
    store_fresh
    slow_module "(use-modules (coldstore)) $save $killed_inside"
    cut_off 137
    slow_is_loaded_again
  done
}

# The main thread waits for the load, too: as soon as it looks for a module.
@test "a module that another thread was loading is loaded again" {
  slow_module "(kill (getpid) SIGTERM) $forever"
  run --separate-stderr bounded cs-run "$STORE" -L lib -c "(use-modules (ice-9 threads)) (define before 1) (call-with-new-thread (lambda () (resolve-interface '(slow)))) (sleep 1000)" < /dev/null
  ended 143
  slow_is_loaded_again
}

@test "a request waits for the end of a module that is being loaded, and cuts no sleep short" {
  local request
  for request in SIGHUP SIGUSR1; do
    store_fresh
    slow_module "(kill (getpid) $request) (let loop ((i 0)) (when (< i 10) (let ((left (usleep 10000))) (unless (zero? left) (error \"it was cut short\" left))) (loop (1+ i))))"
    run --separate-stderr bounded cs-run "$STORE" -L lib -c "(define before 1) (use-modules (slow) (coldstore)) (let loop () (usleep 1000) (when (= 1 (workspace-generation)) (loop))) $killed_inside" < /dev/null
    [ "$status" -eq 129 ] || [ "$status" -eq 137 ] || show
    [ -z "$stderr" ] || show
    run --separate-stderr bounded cs-run --verbose "$STORE" -c '(use-modules (slow)) (write (list before a b c))' < /dev/null
    printed '(1 1 2 3)'
    [[ $stderr != *stopped* ]] || show
  done
}

@test "modules that use each other in a circle, cut off, have what they export" {
  slow_module "((@ (coldstore) checkpoint!)) $killed_inside"
  sed -i 's/(define-module (slow)/& #:use-module (other)/' lib/slow.scm
  echo '(define-module (other) #:use-module (slow) #:export (all)) (define (all) (list a b c))' > lib/other.scm
  cut_off 137
  slow_is_loaded_again
  answers '(1 2 3)' '(use-modules (other)) (write (all))'
}

@test "a file that was being loaded leaves the next run in the outer module" {
  local leave
  for leave in "((@ (coldstore) checkpoint!)) $killed_inside" '(primitive-exit 3)' '(kill (getpid) SIGHUP) (sleep 1000)'; do
    store_fresh
    echo "(define-module (inner)) (define x 1) $leave" > inner.scm
    echo '(define-module (middle)) (load "inner.scm")' > middle.scm
    run_in "$STORE" '(load "middle.scm")'
    [ "$status" -ne 0 ] || show
    answers '((guile-user) 1)' '(write (list (module-name (current-module)) (@@ (inner) x)))'
  done
  # -c evaluates in a module which is the current one again when that ends, also
  # where the process did not come to the end.
  echo '(define-module (mine)) ((@ (coldstore) checkpoint!)) (kill (getpid) SIGKILL)' > mine.scm
  run_in "$STORE" '(primitive-load "mine.scm")'
  [ "$status" -eq 137 ] || show
  answers '(guile-user)' '(write (module-name (current-module)))'
}
