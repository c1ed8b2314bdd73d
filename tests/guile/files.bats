#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# files.bats -- ports on files, sockets, pipes and terminals, from one process
# to the next: after an ordinary end, and after a kill that followed a
# checkpoint.

# shellcheck disable=SC2154     # output, stderr and status are set by run
load helper

# A store as it was made, also in the middle of a case.
anew ()
{
  rm -rf "$STORE-history"
  cp --sparse=always "$PRISTINE" "$STORE"
}

# Run EXPR and leave, in the way $how: exit, or kill after a checkpoint; what
# EXPR2 does comes after that checkpoint.
leave ()
{
  if [ "$how" = exit ]; then
    persist "(use-modules (coldstore) (ice-9 rdelim) (ice-9 textual-ports) (ice-9 binary-ports) (rnrs bytevectors)) $1"
  else
    run_in "$STORE" "(begin (use-modules (coldstore) (ice-9 rdelim) (ice-9 textual-ports) (ice-9 binary-ports) (rnrs bytevectors)) $1 (checkpoint!) ${2:-} (kill (getpid) SIGKILL))"
    [ "$status" -eq 137 ] || show
  fi
}

# What an error about OBJECT says, without the procedure it happened in.
said='(define (said thunk) (catch #t (lambda () (thunk) "no error") (lambda (k . a) (call-with-output-string (lambda (out) (print-exception out #f k a))))))'

# The last run printed all of the texts.
mentioned ()
{
  local text

  for text; do
    case $output in
      *"$text"*) ;;
      *) printf 'wanted in stdout: %s\n' "$text"; show; return 1 ;;
    esac
  done
}

# The same file.

@test "an input port goes on behind what was read, with what was put back" {
  printf 'one\ntwo\nthree\n' > file
  for how in exit kill; do
    anew
    leave '(define p (open-input-file "file")) (read-line p) (read-char p) (unread-string "+x" p)' '(read-line p) (read-line p)'
    answers '("+xwo" 2 0 "three" #t)' '(let* ((a (read-line p)) (l (port-line p)) (c (port-column p)) (b (read-line p))) (write (list a l c b (eof-object? (read-line p)))))'
  done
}

@test "what is read ahead is read once, and what follows it too" {
  seq 100000 > file
  for how in exit kill; do
    anew
    leave '(define p (open-input-file "file")) (define n 0) (do () ((= n 20000)) (set! n (string->number (read-line p))))' '(do ((i 0 (1+ i))) ((= i 9999)) (read-line p))'
    answers '#t' '(write (let loop ((n n)) (let ((l (read-line p))) (cond ((eof-object? l) (= n 100000)) ((= (string->number l) (1+ n)) (loop (1+ n))) (else l)))))'
  done
}

@test "output is in the file once, whether it was flushed by the program or not" {
  for how in exit kill; do
    anew
    rm -f file
    leave '(define p (open-output-file "file")) (display "one " p) (force-output p) (display "two " p)'
    [ "$(cat file)" = 'one two ' ]
    persist '(display "three" p) (close-port p)'
    [ "$(cat file)" = 'one two three' ]
  done
}

@test "output after the last checkpoint is overwritten, or appended to" {
  how="kill"
  rm -f file log
  leave '(define p (open-output-file "file")) (define a (open-file "log" "a")) (define (put s) (display s p) (display s a)) (put "one ")' '(put "lost ") (flush-all-ports)'
  [ "$(cat file log)" = 'one lost one lost ' ]
  persist '(put "two ") (for-each close-port (list p a))'
  [ "$(cat file)" = 'one two  ' ]
  [ "$(cat log)" = 'one lost two ' ]
}

@test "ports that read and write: r+, w+, a+, and seek" {
  for how in exit kill; do
    anew
    printf '0123456789' > file
    rm -f new log
    leave '(define r (open-file "file" "r+")) (get-string-n r 3) (write-char #\a r) (define w (open-file "new" "w+")) (display "abcdef" w) (seek w 2 SEEK_SET) (define l (open-file "log" "a+")) (display "x" l)' '(read-char r) (read-char w)'
    answers '(4 "456" "cd" 2)' '(let* ((at (ftell r)) (s (get-string-n r 3)) (t (get-string-n w 2))) (display "y" l) (seek r 0 SEEK_END) (display "!" r) (seek w 0 SEEK_SET) (display "A" w) (force-output l) (write (list at s t (ftell l))))'
    [ "$(cat file)" = '012a456789!' ]
    [ "$(cat new)" = 'Abcdef' ]
    [ "$(cat log)" = 'xy' ]
  done
}

@test "binary ports, and ports that are not buffered" {
  for how in exit kill; do
    anew
    printf '\000\001\002\377\376\375' > file
    leave '(define p (open-file "file" "rb")) (get-u8 p) (define u (open-file "file" "r0b")) (get-bytevector-n u 2) (define o (open-file "out" "wb0")) (put-u8 o 200)'
    answers '(#vu8(1 2 255) #vu8(2 255 254) 253)' '(put-bytevector o (u8-list->bytevector (list 0 201))) (write (list (get-bytevector-n p 3) (get-bytevector-n u 3) (begin (get-u8 p) (get-u8 p))))'
    [ "$(od -An -tu1 < out)" = ' 200   0 201' ]
  done
}

@test "encodings go on: the mark of the byte order is not written or read again" {
  for how in exit kill; do
    anew
    printf '\xff\xfea\0b\0c\0' > in
    rm -f out
    leave '(define p (open-file "in" "r" #:encoding "UTF-16")) (define a (read-char p)) (define o (open-file "out" "w" #:encoding "UTF-16")) (write-char #\a o)'
    answers '(#\a #\b "UTF-16")' '(write (list a (read-char p) (port-encoding p))) (write-char #\b o)'
    [ "$(od -An -tx1 < out)" = ' fe ff 00 61 00 62' ]
  done
}

@test "ports that no descriptor belongs to are not touched" {
  for how in exit kill; do
    anew
    leave '(define i (open-input-string "hello")) (read-char i) (define o (open-output-string)) (display "a" o) (define b (open-bytevector-input-port (u8-list->bytevector (list 1 2 3)))) (get-u8 b) (define log (list)) (define c (make-custom-binary-output-port "c" (lambda (bv s n) (set! log (cons n log)) n) #f #f #f)) (put-u8 c 1) (define s (make-soft-port (vector (lambda (c) (set! log (cons c log))) (lambda (s) #t) (lambda () #t) (lambda () #\x) #f) "rw")) (read-char s)'
    answers '(#\e "ab" 2 #\x #f)' '(display "b" o) (put-u8 c 2) (force-output c) (write (list (read-char i) (get-output-string o) (get-u8 b) (read-char s) (port-closed? c)))'
    answers '(2)' '(write log)'
  done
}

@test "devices and directories are open again" {
  for how in exit kill; do
    anew
    leave '(define n (open-file "/dev/null" "w")) (define z (open-file "/dev/zero" "rb")) (read-char z) (define d (open "." O_RDONLY))'
    answers '(#\nul directory)' '(display "x" n) (force-output n) (write (list (read-char z) (stat:type (stat d))))'
  done
}

@test "a file that was renamed is not found, one that was renamed back is" {
  seq 3 > file
  how="exit"
  leave '(define p (open-input-file "file")) (read-line p)'
  mv file other
  run_in "$STORE" "$said (display (said (lambda () (read-line p))))"
  mentioned "file '$PWD/file', open in generation 2: No such file or directory"
  anew
  leave '(define p (open-input-file "other")) (read-line p)'
  mv other x && mv x other
  answers '"2"' '(write (read-line p))'
}

@test "a file that has become shorter goes on at its end, which is told" {
  for how in exit kill; do
    anew
    printf '0123456789' > log
    printf '0123456789' > in
    leave '(define p (open-file "log" "r+")) (seek p 0 SEEK_END) (define q (open-input-file "in")) (get-string-n q 5)'
    printf 'x' > log.new; cat log.new > log; printf '01' > in
    answers '(1 2 #<eof> (changed changed))' "(write (list (ftell p) (ftell q) (read-char q) (map car (resume-report)))) (display 'y p)"
    [ "$(cat log)" = xy ]
  done
}

# Another file.

@test "a file that is another one: the port is closed, the file is left alone" {
  for how in exit kill; do
    anew
    echo mine > in; echo mine > out
    leave '(define i (open-input-file "in")) (define o (open-file "out" "a"))'
    echo yours > new; mv new in; echo yours > new; mv new out
    run_in "$STORE" "$said (display (map port-closed? (list i o))) (display (said (lambda () (read-char i)))) (display (said (lambda () (display 1 o) (force-output o)))) (close-port i)"
    ended 0
    mentioned '(#t #t)' "#<closed: file '$PWD/in', open in generation 2: another file has its name>" \
      "#<closed: file '$PWD/out', open in generation 2: another file has its name>"
    [ "$(cat in out)" = $'yours\nyours' ]
    # It stays so.
    answers '(#t #t)' '(write (map port-closed? (list i o)))'
  done
}

@test "an inode that is used again makes no other file the same" {
  mkdir -p d
  how="exit"
  local inode tries=0
  echo mine > d/file
  inode=$(stat -c %i d/file)
  leave '(define p (open-input-file "d/file"))'
  while rm d/file; echo "yours" > d/file; [ "$(stat -c %i d/file)" -ne "$inode" ]; do
    ((++tries < 50)) || skip "inodes are not used again here"
  done
  run_in "$STORE" "$said (display (said (lambda () (read-char p))))"
  mentioned 'another file has its name'
}

@test "names beyond ASCII, and of any bytes" {
  local locale name
  for locale in C C.UTF-8; do
    for name in $'caf\303\251' $'x\377y' $'a b"~a\n'; do
      anew
      printf 'abc' > "$name"
      export LC_ALL=$locale
      run --separate-stderr bounded cs-run "$STORE" -c '(define p (fdopen 20 "r")) (read-char p)' < /dev/null 20< "$name"
      ended 0
      answers '#\b' '(write (read-char p))'
      rm "$name"
      run_in "$STORE" "$said (display (said (lambda () (read-char p))))"
      ended 0
      mentioned "#<closed: file '$PWD/" 'No such file or directory'
      unset LC_ALL
    done
  done
}

@test "a file that may not be opened any more" {
  [ "$(id -u)" -ne 0 ] || skip "root may open everything"
  echo mine > file
  how="exit"
  leave '(define p (open-input-file "file"))'
  chmod 000 file
  run_in "$STORE" "$said (display (said (lambda () (read-char p))))"
  mentioned 'Permission denied'
}

@test "a pipe, a directory or a device in the file's place" {
  how="exit"
  local thing
  for thing in 'mkfifo file' 'mkdir file' 'ln -s /dev/null file'; do
    anew
    echo mine > file
    leave "(define p (open-input-file \"file\")) (set-port-resume-rule! p 'reopen)"
    rm file
    $thing
    run_in "$STORE" "$said (display (said (lambda () (read-char p))))"
    mentioned 'another file has its name'
    rm -r file
  done
}

# Rules.

@test "reopen: the file of that name, at the old place, or at its end" {
  for how in exit kill; do
    anew
    printf 'abcdefgh' > in; printf 'abcdefgh' > in2; printf 'abc' > out
    leave "(define i (open-input-file \"in\")) (define j (open-input-file \"in2\")) (define o (open-file \"out\" \"a\")) (for-each (lambda (p) (set-port-resume-rule! p 'reopen)) (list i j o)) (get-string-n i 4) (get-string-n j 4)"
    printf 'ABCDEFGHIJ' > new; mv new in; printf 'AB' > new; mv new in2; rm out
    answers '("EFGHIJ" #<eof> reopen)' '(display "new" o) (write (list (read-line i) (read-char j) (port-resume-rule i)))'
    [ "$(cat out)" = new ]
  done
}

# What was put back leads to before the beginning, which no file has.
@test "reopen: a port that more was put back to than was read begins again" {
  for how in exit kill; do
    anew
    printf 'abc' > in
    leave "(define i (open-input-file \"in\")) (set-port-resume-rule! i 'reopen) (read-char i) (unread-string \"much more\" i)"
    printf 'ABC' > new; mv new in
    answers '"ABC"' '(write (read-line i))'
  done
}

@test "reopen-at-end" {
  for how in exit kill; do
    anew
    printf 'abc' > in; printf 'abc' > out
    leave "(define i (open-input-file \"in\")) (define o (open-file \"out\" \"r+\")) (for-each (lambda (p) (set-port-resume-rule! p 'reopen-at-end)) (list i o)) (read-char i)"
    printf 'ABCDEF' > new; mv new in; printf 'ABCDEF' > new; mv new out
    answers '#<eof>' '(display "!" o) (write (read-char i))'
    [ "$(cat out)" = 'ABCDEF!' ]
  done
}

@test "close: as if nothing had been said" {
  for how in exit kill; do
    anew
    echo mine > file
    leave "(set-default-resume-rule! 'reopen) (define p (open-input-file \"file\")) (set-port-resume-rule! p 'close)"
    rm file; echo yours > file
    answers '(#t close reopen)' '(write (list (port-closed? p) (port-resume-rule p) (default-resume-rule)))'
  done
}

@test "fail: not resumed, with the ways out" {
  for how in exit kill; do
    anew
    echo mine > file
    leave "(define p (open-input-file \"file\")) (set-port-resume-rule! p 'fail) (define x 1)"
    mv file kept; printf 'yours, too' > file
    run_in "$STORE" '(set! x 2)'
    [ "$status" -eq 125 ]
    [ "$stderr" = "cs-run: cannot resume '$STORE': file '$PWD/file' was open: another file has its name
  put it back, or choose what to do without it, once: --changed-files=close, reopen or reopen-at-end" ] || show
    # It can be looked at,
    run --separate-stderr bounded cs-run --ephemeral "$STORE" -c '(write (list x (port-closed? p)))' < /dev/null
    ended 0; printed '(1 #t)'
    # put back,
    mv file yours; mv kept file
    answers '(1 "mine")' '(use-modules (ice-9 rdelim)) (write (list x (read-line p)))'
    # or done without.
    mv yours file
    run --separate-stderr bounded cs-run --changed-files=reopen "$STORE" -c '(write (list (port-closed? p) (read-char p)))' < /dev/null
    ended 0; printed '(#f #\,)'
    rm file
    run --separate-stderr bounded cs-run --changed-files close "$STORE" -c '(write (port-closed? p))' < /dev/null
    ended 0; printed '#t'
    answers '(1 #t)' '(write (list x (port-closed? p)))'
  done
}

@test "--changed-files=fail refuses what the rules would allow" {
  how="exit"
  echo mine > file
  leave "(define p (open-input-file \"file\")) (set-port-resume-rule! p 'reopen)"
  run --separate-stderr bounded cs-run --changed-files=fail "$STORE" -c '(write 1)' < /dev/null
  ended 0; printed 1
  rm file
  run --separate-stderr bounded cs-run --changed-files=fail "$STORE" -c '(write 1)' < /dev/null
  [ "$status" -eq 125 ]
  complained 'No such file or directory'
}

@test "a rule for all ports, and one in the policy" {
  cp "$CS_SOURCE_DIR/policy/guile-3.0.pol" my.pol
  printf 'files reopen *\nfiles reopen-at-end */log?\n' >> my.pol
  for how in exit kill; do
    bounded cs-create --force --policy my.pol "$STORE"
    printf 'abc' > file; printf 'abc' > log1; printf 'abc' > log2
    leave "(define f (open-input-file \"file\")) (define l (open-input-file \"log1\")) (define m (open-input-file \"log2\")) (set-port-resume-rule! m 'reopen) (set-default-resume-rule! 'fail) (read-char f)"
    [ "$(cs-inspect --files "$STORE" | awk '{ print $6, $7 }')" = "RULE NAME
reopen $PWD/file
reopen-at-end $PWD/log1
reopen $PWD/log2" ]
    for f in file log1 log2; do printf 'ABC' > new; mv new $f; done
    answers '(#\B #<eof> #\A)' '(write (map read-char (list f l m)))'
    anew
    leave "(set-default-resume-rule! 'reopen) (define f (open-input-file \"file\"))"
    printf 'abc' > new; mv new file
    answers '#\a' '(write (read-char f))'
  done
}

@test "rules that are none, and what is no port" {
  run_in "$STORE" "$said (use-modules (coldstore)) (define p (open-input-file \"/dev/null\")) (for-each (lambda (thunk) (display (said thunk))) (list (lambda () (set-port-resume-rule! p 'open)) (lambda () (set-port-resume-rule! (open-input-string \"\") 'close)) (lambda () (set-port-resume-rule! 5 'close)) (lambda () (set-default-resume-rule! \"close\")))) (set-port-resume-rule! p 'fail) (set-port-resume-rule! p #f) (write (port-resume-rule p))"
  ended 0
  mentioned 'In procedure set-port-resume-rule!: Not a rule: open (expecting one of (reopen reopen-at-end close fail), or #f)' \
    'Wrong type (expecting file port): #<input: string' 'Wrong type (expecting file port): 5' \
    'In procedure set-default-resume-rule!: Not a rule: "close"' '#f'
}

@test "a rule does not keep its port from being collected" {
  persist "(use-modules (coldstore)) (define n 0) (do ((i 0 (1+ i))) ((= i 200)) (let ((p (open-input-file \"/dev/null\"))) (set-port-resume-rule! p 'fail)))"
  answers '#t' '(gc) (gc) (usleep 1000) (gc) (write (< (hash-fold (lambda (k v n) (1+ n)) 0 (@@ (coldstore) port-rules)) 100))'
}

# What ends with its process.

@test "pipes, sockets and files without a name are closed, and say why" {
  for how in exit kill; do
    anew
    echo x > file
    mkfifo fifo
    leave '(define a (socket PF_INET SOCK_STREAM 0)) (bind a AF_INET INADDR_LOOPBACK 0) (listen a 1) (define c (socket PF_INET SOCK_STREAM 0)) (connect c (getsockname a)) (define s (car (accept a))) (display "unsent" s) (define u (socketpair PF_UNIX SOCK_STREAM 0)) (define p (pipe)) (define f (open-file "fifo" "r+")) (define d (open-file "file" "r+")) (delete-file "file") (define t (tmpfile))'
    run_in "$STORE" "$said (define all (list a c s (car u) (car p) (cdr p) f d t)) (write (map port-closed? all)) (for-each (lambda (p) (display (said (lambda () (if (input-port? p) (read-char p) (write-char #\\x p)))))) all)"
    ended 0
    mentioned '(#t #t #t #t #t #t #t #t #t)' '#<closed: socket listening on 127.0.0.1:' \
      '#<closed: socket connected to 127.0.0.1:' '#<closed: socket connected, open in' \
      '#<closed: pipe, open in generation 2: it ended with its process>' \
      "#<closed: pipe '$PWD/fifo', open in generation 2: it ended with its process>" \
      "#<closed: file '$PWD/file', open in generation 2: it had been removed>"
    rm fifo
    answers '9' '(for-each close-port all) (gc) (write (length all))'
  done
}

@test "a pipe with a name in a file system in memory has its name" {
  folder=$(mktemp -d /dev/shm/coldstore-tests.XXXXXX) || skip 'no /dev/shm'
  [ "$(stat -f -c %T "$folder")" = tmpfs ] || skip '/dev/shm is no tmpfs'
  mkfifo "$folder/fifo"
  persist "(define f (open-file \"$folder/fifo\" \"r+\"))"
  rm -r "$folder"
  run_in "$STORE" '(write f)'
  ended 0
  mentioned "#<closed: pipe '$folder/fifo'"
}

@test "every operation on such a port is an error with its reason" {
  how="kill"
  leave '(define s (socket PF_UNIX SOCK_STREAM 0)) (define p (pipe))'
  run_in "$STORE" "$said
(use-modules (ice-9 rdelim) (ice-9 textual-ports) (ice-9 binary-ports) (rnrs bytevectors))
(define i (car p)) (define o (cdr p)) (define b (make-bytevector 4 0))
(for-each (lambda (f) (let ((text (said f))) (if (not (string-contains text \"it ended with its process\")) (begin (write f) (display text)))))
 (list (lambda () (read-char i)) (lambda () (peek-char i)) (lambda () (read-line i)) (lambda () (read i)) (lambda () (char-ready? i))
  (lambda () (get-u8 i)) (lambda () (get-string-all i)) (lambda () (get-bytevector-n i 3)) (lambda () (unread-char #\\x i))
  (lambda () (drain-input i)) (lambda () (setvbuf i 'none)) (lambda () (port-encoding i)) (lambda () (seek i 0 SEEK_CUR)) (lambda () (fileno i))
  (lambda () (display 1 o)) (lambda () (write 1 o)) (lambda () (newline o)) (lambda () (put-u8 o 1)) (lambda () (put-string o \"x\")) (lambda () (force-output o))
  (lambda () (truncate-file o 0)) (lambda () (dup->fdes o)) (lambda () (port-revealed o)) (lambda () (select (list i) (list) (list) 0))
  (lambda () (connect s AF_UNIX \"/x\")) (lambda () (bind s AF_UNIX \"/x\")) (lambda () (listen s 1)) (lambda () (accept s)) (lambda () (send s b)) (lambda () (recv! s b))
  (lambda () (getsockname s)) (lambda () (getpeername s)) (lambda () (getsockopt s SOL_SOCKET SO_ERROR)) (lambda () (shutdown s 2)) (lambda () (fcntl s F_GETFL)) (lambda () (fsync o)) (lambda () (stat o))))
(write (list (isatty? i) (port-closed? i) (input-port? i) (output-port? o) (port? s)))"
  [ "$status" -eq 0 ] || show
  printed '(#f #t #t #t #t)'
}

@test "a terminal is closed, unless it is a standard port" {
  command -v script > /dev/null || skip "no script command"
  local expr
  for expr in '' '(checkpoint!) (kill (getpid) SIGKILL)'; do
    anew
    bounded script -qec "cs-run $STORE -c '(use-modules (coldstore)) (define t (open-file \"/dev/tty\" \"r+\")) (define o (current-output-port)) (display 1 t) $expr'" /dev/null < /dev/null > screen || true
    run_in "$STORE" "$said (display (said (lambda () (read-char t)))) (display (port-closed? o))"
    mentioned "#<closed: terminal '/dev/" 'it ended with its process>' '#f'
  done
}

@test "pipes to and from commands are closed with their commands" {
  for how in exit kill; do
    anew
    leave '(use-modules (ice-9 popen)) (define p (open-input-pipe "exec tail --pid=$PPID -s 0.1 -f /dev/null")) (define b (open-pipe* OPEN_BOTH "cat")) (define o (open-output-pipe "cat > out")) (display "in time" o)'
    run_in "$STORE" "$said (for-each (lambda (f) (display (said f))) (list (lambda () (read-line p)) (lambda () (display 1 b) (force-output b)) (lambda () (read-line b)) (lambda () (display 1 o))))"
    [ "$status" -eq 0 ] || show
    [ "$(grep -c 'it ended with its process' <<< "$output")" -eq 4 ] || show
    survives '(close-pipe p)'
    answers '"new"' '(let* ((p (open-input-pipe "echo new")) (l (read-line p))) (close-pipe p) (write l))'
    [ "$(cat out)" = 'in time' ]
  done
}

@test "a thread that waits in a port does not keep it from being closed" {
  for how in exit kill; do
    anew
    leave '(use-modules (ice-9 threads)) (define p (pipe)) (define t (call-with-new-thread (lambda () (read-char (car p))))) (usleep 10000)'
    run_in "$STORE" "$said (display (said (lambda () (read-char (car p))))) (display (port-closed? (cdr p)))"
    mentioned 'it ended with its process' '#t'
  done
}

@test "ports that are lost and collected close nobody's descriptor" {
  for how in exit kill; do
    anew
    leave '(define ps (map (lambda (i) (pipe)) (iota 20)))'
    answers '#t' '(define mine (map (lambda (i) (open-file "f" "w0")) (iota 60))) (set! ps #f) (gc) (gc) (usleep 1000) (gc) (for-each (lambda (p) (display "x" p)) mine) (for-each close-port mine) (write #t)'
  done
}

@test "what was registered for the descriptor's end is run" {
  how="exit"
  run_in "$STORE" '(use-modules (ice-9 fdes-finalizers))'
  [ "$status" -eq 0 ] || skip "no (ice-9 fdes-finalizers)"
  leave "(define p (pipe)) (define ended '()) (add-fdes-finalizer! (fileno (car p)) (lambda (fd) (set! ended (cons fd ended)))) (define n (fileno (car p)))"
  answers '#t' '(write (equal? ended (list n)))'
}

@test "pipes opened in each of many processes do not pile up" {
  local round
  persist '(define kept #f) (define command #f)'
  for ((round = 0; round < 12; round++)); do
    how="kill"
    leave "(use-modules (ice-9 popen)) (define n (fileno (car (pipe)))) (set! kept (pipe)) (set! command (open-input-pipe \"sleep 0\")) (gc)"
  done
  answers '#t' '(write (< n 40))'
  persist '(set! kept #f) (set! command #f) (gc) (gc) (usleep 1000) (gc)'
  [ "$(cs-inspect --files "$STORE" | wc -l)" -le 4 ] || cs-inspect --files "$STORE"
}

@test "the number of a lost port that was revealed is nobody else's" {
  for how in exit kill; do
    anew
    leave '(define p (pipe)) (define n (port->fdes (car p)))'
    answers '#f' '(write (member n (map (lambda (i) (open-fdes "/dev/null" O_RDONLY)) (iota 30))))'
    answers '(#t #f)' '(write (list (port-closed? (car p)) (member n (map (lambda (i) (open-fdes "/dev/null" O_RDONLY)) (iota 30)))))'
    [ "$(cs-inspect --files "$STORE" | grep -c ' closed ')" -eq 1 ]
    persist '(set! p #f) (gc) (gc) (usleep 1000) (gc)'
    persist 1
    [ "$(cs-inspect --files "$STORE" | grep -c ' closed ')" -eq 0 ]
  done
}

# Numbers.

@test "a descriptor of the new process stays what it is; the port moves" {
  seq 3 > file
  echo inherited > other
  local fd
  for how in exit kill; do
    anew
    leave '(define p (open-input-file "file")) (read-line p) (define n (fileno p))'
    fd=$(cs-inspect --files "$STORE" | awk '/\/file$/ { print $1 }')
    run --separate-stderr bash -c "timeout 60 cs-run \"\$1\" -c '(write (list (read-line p) (read-line (fdopen $fd \"r\")) (= n (fileno p))))' < /dev/null $fd< other" - "$STORE"
    ended 0
    printed '("2" "inherited" #f)'
    answers '"3"' '(write (read-line p))'
  done
}

@test "a number that the program knows is not mixed up with an inherited one" {
  seq 3 > file
  echo inherited > other
  local fd
  for how in exit kill; do
    anew
    leave '(define n (open-fdes "file" O_RDONLY)) (define p (open-input-file "file")) (define x 1)'
    fd=$(cs-inspect --files "$STORE" | awk '$3 == "program" { print $1 }')
    run --separate-stderr bash -c "timeout 60 cs-run \"\$1\" -c '(set! x 2)' < /dev/null $fd< other" - "$STORE"
    [ "$status" -eq 125 ]
    [ "$stderr" = "cs-run: cannot resume '$STORE': descriptor $fd was inherited, and the program knows one of that number (file '$PWD/file')
  close it ($fd<&-), or pass it under another number" ] || show
    answers '(1 "1")' '(write (list x (read-line (fdopen n "r"))))'
  done
}

@test "a revealed port keeps its number" {
  seq 3 > file
  how="kill"
  leave '(define p (open-input-file "file")) (define n (port->fdes p))'
  local fd
  fd=$(cs-inspect --files "$STORE" | awk '$3 == "both" { print $1 }')
  run --separate-stderr bash -c "timeout 60 cs-run \"\$1\" -c 1 < /dev/null $fd< file" - "$STORE"
  [ "$status" -eq 125 ]
  answers '(#t 1 "1")' '(write (list (= n (fileno p)) (port-revealed p) (read-line p)))'
}

@test "numbers without a port: files are open, others are taken" {
  seq 3 > file
  for how in exit kill; do
    anew
    leave '(define n (open-fdes "file" O_RDONLY)) (define p (pipe)) (define d (dup->fdes (car p))) (close-port (car p))'
    run_in "$STORE" "$said (write (read-line (fdopen (dup->fdes n) \"r\"))) (define pd (fdopen d \"r\")) (display (said (lambda () (read-char pd)))) (write (member d (map (lambda (i) (open-fdes \"file\" O_RDONLY)) (iota 30))))"
    [ "$status" -eq 0 ] || show
    mentioned '"1"' '#f'
    case $output in *'no error'*) show ;; esac
    # Closed, it is free again.
    persist '(close-port pd)'
    [ "$(cs-inspect --files "$STORE" | grep -c ' held ')" -eq 0 ]
  done
}

@test "duplicated ports share a position, ports opened apart do not" {
  printf 'abcdef' > file
  for how in exit kill; do
    anew
    leave '(define p (open-file "file" "r0")) (define q (dup->port p "r0")) (define r (open-file "file" "r0")) (read-char p)'
    answers '(#\b #\c #\d #\a)' '(let* ((a (read-char q)) (b (read-char p)) (c (read-char q)) (d (read-char r))) (write (list a b c d)))'
  done
}

@test "two ports on one descriptor" {
  printf 'abcdef' > file
  for how in exit kill; do
    anew
    leave '(define p (open-file "file" "r0")) (define q (fdopen (fileno p) "r0")) (read-char p)'
    answers '(#\b #\c #t)' '(let* ((a (read-char q)) (b (read-char p))) (write (list a b (= (fileno p) (fileno q)))))'
  done
}

@test "what commands inherit is as it was" {
  seq 3 > file
  for how in exit kill; do
    anew
    leave '(define p (open-file "file" "r")) (move->fdes p 40) (define q (open-file "file" "r")) (move->fdes q 41) (fcntl q F_SETFD FD_CLOEXEC)'
    answers 40 '(system "for i in 40 41; do [ ! -e /proc/self/fd/$i ] || echo $i; done")'
  done
}

@test "files that took the numbers of closed standard ports move out of the way" {
  seq 3 > file
  for how in exit kill; do
    anew
    leave '(close-port (current-input-port)) (define p (open-input-file "file")) (define n (fileno p)) (read-line p)'
    run --separate-stderr bounded cs-run "$STORE" -c '(write (list n (read) (read-line p) (> (fileno p) 2)))' <<< 'in'
    ended 0
    printed '(0 in "2" #t)'
  done
}

@test "standard output redirected by the program is the new process's again" {
  bounded cs-run "$STORE" -c '(define f (open-output-file "file")) (redirect-port f (current-output-port)) (display "to file")' < /dev/null > out
  [ "$(cat file out)" = 'to file' ]
  bounded cs-run "$STORE" -c '(display "to out") (force-output) (display ", to file" f)' < /dev/null > out
  [ "$(cat out)" = 'to out' ]
  [ "$(cat file)" = 'to file, to file' ]
}

@test "more ports than there is room for are closed, and say so" {
  ulimit -n "$(ulimit -Hn)" 2> /dev/null || true
  [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 1200 ] || skip "limit of descriptors: $(ulimit -n)"
  how="exit"
  leave '(define ps (map (lambda (i) (open-input-file "/dev/zero")) (iota 1100)))'
  run_in "$STORE" "$said (use-modules (srfi srfi-1)) (write (count port-closed? ps)) (display (said (lambda () (for-each read-char ps))))"
  ended 0
  mentioned 76 'it was not recorded'
  answers 76 '(write (count port-closed? ps))'
}

@test "a limit of descriptors that is lower than it was" {
  how="exit"
  echo x > file
  leave '(define p (open-input-file "file")) (move->fdes p 500) (set-port-revealed! p 0)'
  run --separate-stderr bash -c 'ulimit -n 100; timeout 60 cs-run "$1" -c "(write (list (read-char p) (< (fileno p) 100)))" < /dev/null' - "$STORE"
  ended 0
  printed '(#\x #t)'
}

@test "a limit of descriptors that is too low for the ports: refused, nothing lost" {
  echo x > file
  for how in exit kill; do
    anew
    leave '(define ps (map (lambda (i) (open-input-file "file")) (iota 30)))'
    run --separate-stderr bash -c 'ulimit -n 20; timeout 60 cs-run "$1" -c 1 < /dev/null' - "$STORE"
    [ "$status" -eq 125 ]
    [ "$(sed 's/descriptor [0-9]*/descriptor N/' <<< "$stderr")" = "cs-run: cannot resume '$STORE': file '$PWD/file' (descriptor N): Too many open files
  raise the limit: ulimit -n" ] || show
    answers '30' '(write (length (filter (lambda (p) (eqv? (read-char p) #\x)) ps)))'
  done
}

@test "without /proc, files are known by the names they were opened with" {
  unshare -m true 2> /dev/null || skip "no mount name space"
  printf 'abc' > file
  # shellcheck disable=SC2016   # for the shells inside
  run --separate-stderr unshare -m bash -c 'mount --make-rprivate / && umount -l /proc && timeout 60 cs-run "$1" -c "(define p (open-input-file \"file\")) (read-char p)" < /dev/null' - "$STORE"
  [ "$status" -eq 0 ] || skip "cannot do without /proc: $stderr"
  answers '#\b' '(write (read-char p))'
}
