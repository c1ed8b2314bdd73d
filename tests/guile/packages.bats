#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# packages.bats -- programs that nobody here wrote: modules of other people's
# packages, loaded in one process and used in the next ones.
#
# What a module's own Scheme code and its extension keep is there.  What the C
# library behind it has made belongs to the process that made it: it has ended
# in the next one, and says so when it is used.

load helper

setup ()
{
  store_new
  export HOME=$BATS_TEST_TMPDIR GIT_CONFIG_NOSYSTEM=1
}

# Skip the case unless plain Guile can load MODULE of Debian's PACKAGE.
need ()
{
  bounded guile -c "(use-modules $2)" > /dev/null 2>&1 < /dev/null ||
    skip "no $2 here: package $1"
}

# Run FIRST in a process that leaves, and in one that is killed after a
# checkpoint; each time, NEXT must answer WANT in the next process and again in
# the one after a kill of that.
lives ()
{
  local first=$1 next=$2 want=$3 end

  for end in persist killed; do
    rm -rf s.store s.store-history
    store_new
    "$end" "(use-modules (coldstore)) $first" || return 1
    answers "$want" "$next" || { echo "after: $end"; return 1; }
    killed '(gc)' || return 1
    answers "$want" "$next" || { echo "after: $end, killed"; return 1; }
  done
}

# In the store that the case has left, EXPR is an error about something that
# has ended, which can be caught, and nothing but that.
ended_is ()
{
  local expr

  for expr; do
    fails 1 "$expr" || { echo "$expr"; return 1; }
    complained "#<ended: $what" || { echo "$expr"; return 1; }
    answers caught "(catch #t (lambda () $expr) (lambda _ (display 'caught)))" \
      || { echo "$expr"; return 1; }
  done
}

# Drop the variables NAME... and collect: nothing happens.
dropped ()
{
  local name

  for name; do
    persist "(set! $name #f) (gc) (gc) (usleep 5000) (gc) (usleep 1000)"
  done
  answers 'still here' '(gc) (display "still here")'
}

@test "json: parsed, built and written" {
  need guile-json '(json)'
  lives "(use-modules (json))
         (define text \"{\\\"a\\\": [1, 2.5, null, true], \\\"b\\\": {\\\"c\\\": \\\"x\\\\u00e9\\\"}}\")
         (define document (json-string->scm text))
         (define-json-type <account> (id) (name \"full_name\"))
         (define account (make-account 7 \"Somebody\"))" \
    "(write (list (assoc-ref document \"a\") (equal? document (json-string->scm text)) (assoc-ref (json-string->scm (scm->json-string document)) \"b\") (account->json account) (account-name (json->account \"{\\\"id\\\": 1, \\\"full_name\\\": \\\"X\\\"}\"))))" \
    '(#(1 2.5 null #t) #t (("c" . "x\xe9")) "{\"id\":7,\"full_name\":\"Somebody\"}" "X")'
}

database='(use-modules (sqlite3))
(define name (string-append (getcwd) "/t.db"))
(define (rows sql) (let* ((db (sqlite-open name)) (st (sqlite-prepare db sql)) (all (sqlite-map identity st))) (sqlite-finalize st) (sqlite-close db) all))
(false-if-exception (delete-file name))
(define db (sqlite-open name))
(sqlite-exec db "create table t (a, b); insert into t values (1, (quote)one(quote)), (2, NULL)")
(define st (sqlite-prepare db "select a, b from t order by a"))
(define cached (sqlite-prepare db "select count(*) from t" #:cache? #t))
(define first (sqlite-step st))'

@test "sqlite3: another connection works, the open one has ended" {
  need guile-sqlite3 '(sqlite3)'
  lives "${database//(quote)/\'}" \
    '(write (list first (rows "select a, b from t order by a") (rows "select 5")))' \
    '(#(1 "one") (#(1 "one") #(2 #f)) (#(5)))'
  local what='pointer '
  ended_is '(sqlite-step st)' '(sqlite-reset cached)' \
    '(sqlite-exec db "select 1")' '(sqlite-prepare db "select 1")'
  # What is dropped is closed by a guardian, after a collection.
  dropped st cached db
  answers '(#(2))' '(write (rows "select count(*) from t"))'
}

@test "sqlite3: what was not committed is rolled back, and the file not locked" {
  need guile-sqlite3 '(sqlite3)'
  persist "${database//(quote)/\'} (sqlite-exec db \"begin immediate; delete from t\")"
  answers '(#(2))' '(write (rows "select count(*) from t"))'
  killed '(set! db (sqlite-open name)) (sqlite-exec db "begin immediate; delete from t")'
  answers '(#(2))' '(write (rows "select count(*) from t"))'
  persist '(set! db (sqlite-open name)) (sqlite-exec db "delete from t where a = 1")'
  answers '(#(1))' '(write (rows "select count(*) from t"))'
}

@test "sqlite3: opened again by a hook, as the manual says" {
  need guile-sqlite3 '(sqlite3)'
  persist "(use-modules (coldstore) (sqlite3)) (define database #f) (define (open-database!) (set! database (sqlite-open \"$PWD/notes.db\"))) (open-database!) (add-hook! after-resume-hook open-database!) (sqlite-exec database \"create table t (a)\")"
  persist '(sqlite-exec database "insert into t values (1)")'
  killed '(sqlite-exec database "insert into t values (2)")'
  answers '(#(3))' '(write (sqlite-map identity (sqlite-prepare database "select sum(a) from t")))'
}

@test "git: repositories are opened again once the library is initialized" {
  need guile-git '(git)'
  command -v git > /dev/null || skip "no git here"
  git init -q repo
  git -C repo -c user.name=N -c user.email=n@example.org \
    commit -q --allow-empty -m 'first message'
  lives "(use-modules (git)) (libgit2-init!) (define where \"$PWD/repo\")
         (define repo (repository-open where))
         (define (last-commit repo) (commit-lookup repo (reference-target (repository-head repo))))
         (define commit (last-commit repo))
         (define id (oid->string (commit-id commit)))
         (define bare (repository-init \"$PWD/bare\" #t))" \
    "(libgit2-init!) (let ((repo (repository-open where))) (write (list (string-trim-right (commit-message (last-commit repo))) (string=? id (oid->string (commit-id (last-commit repo)))) (repository-bare? (repository-open \"$PWD/bare\")))))" \
    '("first message" #t #t)'
  local what='pointer '
  ended_is '(repository-head repo)' '(commit-message commit)' \
    '(repository-bare? bare)' '(last-commit repo)'
  fails 1 '(repository-open where)'
  complained 'has not been initialized'
  dropped commit repo bare
}

@test "gnutls: objects of the extension have ended, the library works" {
  need guile-gnutls '(gnutls)'
  lives "(use-modules (gnutls) (rnrs bytevectors))
         (define session (make-session connection-end/client))
         (set-session-default-priority! session)
         (define credentials (make-certificate-credentials))
         (set-session-credentials! session credentials)
         (define anonymous (make-anonymous-client-credentials))
         (define (fresh) (let ((s (make-session connection-end/server))) (set-session-default-priority! s) (set-session-credentials! s (make-certificate-credentials)) s))
         (define cipher cipher/aes-128-cbc)" \
    "(write (list (gnutls-version) (session? (fresh)) (certificate-credentials? (make-certificate-credentials)) (cipher->string cipher) (eq? cipher cipher/aes-128-cbc) (catch 'gnutls-error (lambda () (import-x509-certificate (make-bytevector 10) x509-certificate-format/pem)) (lambda (key error . rest) (error->string error))) (session? session)))" \
    "(\"$(guile -c '(use-modules (gnutls)) (display (gnutls-version))')\" #t #t \"AES-128-CBC\" #t \"Base64 unexpected header error.\" #f)"
  local what='session, '
  ended_is '(handshake session)' '(session-protocol session)' \
    '(bye session close-request/rdwr)' '(set-session-default-priority! session)'
  what='certificate-credentials, '
  ended_is '(set-session-credentials! (fresh) credentials)'
  dropped session credentials anonymous
}

@test "gnutls: a handshake over two descriptors, in the next process too" {
  need guile-gnutls '(gnutls)'
  persist "(use-modules (gnutls) (ice-9 threads) (rnrs bytevectors))
    (define (prepared end credentials socket) (let ((s (make-session end))) (set-session-priorities! s \"NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2:+ANON-ECDH\") (set-session-credentials! s credentials) (set-session-transport-fd! s (fileno socket)) s))
    (define (talk text)
      (let* ((ends (socketpair PF_UNIX SOCK_STREAM 0))
             (server (call-with-new-thread (lambda () (let ((s (prepared connection-end/server (make-anonymous-server-credentials) (car ends))) (b (make-bytevector 100))) (handshake s) (let ((n (record-receive! s b))) (bye s close-request/wr) (substring (utf8->string b) 0 n))))))
             (s (prepared connection-end/client (make-anonymous-client-credentials) (cdr ends))))
        (handshake s)
        (record-send s (string->utf8 text))
        (bye s close-request/wr)
        (join-thread server)))
    (talk \"one\")"
  answers '"two"' '(write (talk "two"))'
  killed '(talk "three")'
  answers '"four"' '(write (talk "four"))'
}

@test "ssh: objects of the extension have ended, the library works" {
  need guile-ssh '(ssh session)'
  lives "(use-modules (ssh session) (ssh key) (ssh auth) (ssh server))
         (define (fresh) (make-session #:user \"u\" #:host \"localhost\" #:port 1 #:config #f))
         (define session (fresh))
         (define key (make-keypair 'rsa 1024))
         (define public (public-key->string key))" \
    "(write (list (session? (fresh)) (session-get (fresh) 'host) (connect! (fresh)) (string? public) (string=? public (public-key->string (string->public-key public 'rsa))) (public-key? (make-keypair 'rsa 1024)) (session? session) (key? key)))" \
    '(#t "localhost" error #t #t #t #f #f)'
  local what='session, '
  ended_is '(connect! session)' "(session-get session 'host)" \
    '(disconnect! session)'
  what='key, '
  ended_is '(public-key->string key)' '(get-key-type key)'
  dropped session key
}

@test "gcrypt: hashes, random numbers, s-expressions" {
  need guile-gcrypt '(gcrypt hash)'
  lives "(use-modules (gcrypt hash) (gcrypt base16) (gcrypt base64) (gcrypt mac) (gcrypt random) (gcrypt pk-crypto) (rnrs bytevectors))
         (define (hex bytes) (bytevector->base16-string bytes))
         (define sum (sha256 (string->utf8 \"abc\")))
         (define sexp (string->canonical-sexp \"(a (b c))\"))
         (define port+get (call-with-values (lambda () (open-hash-port (hash-algorithm sha256))) cons))
         (define cut (sign-data \"key\" \"data\"))" \
    "(write (list (hex sum) (equal? sum (sha256 (string->utf8 \"abc\"))) (equal? cut (sign-data \"key\" \"data\")) (bytevector-length (gen-random-bv 8)) (canonical-sexp->string (string->canonical-sexp \"(a b)\")) (base64-encode (string->utf8 \"a\")) (canonical-sexp? sexp)))" \
    '("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" #t #t 8 "(a b)\n" "YQ==" #t)'
  local what='pointer '
  ended_is '(canonical-sexp->string sexp)' \
    '(begin (display "abc" (car port+get)) (force-output (car port+get)) ((cdr port+get)))'
  dropped sexp port+get
}

@test "bytestructures and compression: structures, streams, files" {
  need guile-bytestructures '(bytestructures guile)'
  need guile-zlib '(zlib)'
  need guile-zstd '(zstd)'
  lives "(use-modules (bytestructures guile) (zlib) (zstd) (rnrs bytevectors) (ice-9 binary-ports))
         (define type (bs:struct \`((x ,uint8) (y ,int32))))
         (define value (bytestructure type))
         (bytestructure-set! value 'y -5)
         (define text (string->utf8 (make-string 10000 #\\a)))
         (define (pack make name) (call-with-output-file name (lambda (file) (make file (lambda (port) (put-bytevector port text))))) (stat:size (stat name)))
         (define (pack-all) (list (pack call-with-gzip-output-port \"$PWD/t.gz\") (pack call-with-zstd-output-port \"$PWD/t.zst\")))
         (define sizes (pack-all))
         (define (unpack name with) (equal? text (call-with-input-file name (lambda (file) (with file get-bytevector-all)))))
         (define (unpack-all) (list (unpack \"$PWD/t.gz\" call-with-gzip-input-port) (unpack \"$PWD/t.zst\" call-with-zstd-input-port)))
         (define half (make-zstd-output-port (open-output-file \"$PWD/half\" #:binary #t)))
         (put-bytevector half text)" \
    "(write (list (bytestructure-ref value 'y) (unpack-all) (equal? sizes (pack-all)) (unpack-all)))" \
    '(-5 (#t #t) #t (#t #t))'
  survives '(put-bytevector half text) (force-output half)'
  survives '(close-port half)'
  dropped half
}

@test "guile-library: modules of Scheme alone" {
  need guile-library '(htmlprag)'
  lives "(use-modules (oop goops) (htmlprag) (md5) (string transform) (graph topological-sort) (container async-queue) (math primes) (logging logger) (logging port-log))
         (define page (html->sxml \"<p>a<b>c</b></p>\"))
         (define queue (make-async-queue))
         (async-enqueue! queue 'x)
         (define lg (make <logger>))
         (add-handler! lg (make <port-log> #:port (open-file \"log\" \"a\")))
         (open-log! lg)
         (log-msg lg 'INFO \"begun\")" \
    "(async-enqueue! queue 'x) (log-msg lg 'INFO \"more\") (write (list page (async-dequeue! queue) (md5 (open-input-string \"a\")) (topological-sort '((a b) (b c))) (prime? 97) (shtml->html page)))" \
    '((*TOP* (p "a" (b "c"))) x "0cc175b9c0f1b6a831c399e269772661" (a b c) #t "<p>a<b>c</b></p>")'
}

@test "all of them in one workspace" {
  local modules='' module

  for module in '(json)' '(sqlite3)' '(git)' '(gnutls)' '(ssh session)' \
    '(ssh key)' '(gcrypt hash)' '(zlib)' '(zstd)' '(bytestructures guile)'; do
    if bounded guile -c "(use-modules $module)" > /dev/null 2>&1 < /dev/null
    then
      modules="$modules $module"
    fi
  done
  [ "$(wc -w <<< "$modules")" -ge 3 ] || skip "fewer than three packages here"
  persist "(define modules '($modules)) (for-each (lambda (m) (module-use! (current-module) (resolve-interface m))) modules)"
  answers '#t' '(gc) (write (and-map (lambda (m) (module? (resolve-module m #f #:ensure #f))) modules))'
  killed '(gc)'
  answers '#t' '(gc) (write (and-map (lambda (m) (module? (resolve-module m #f #:ensure #f))) modules))'
}
