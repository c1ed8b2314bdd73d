#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-3.0-or-later
# data.bats -- values of every type are the same in the next process.

load helper

@test "an integer defined in one process is there in the next" {
  persist '(define x 1)'
  answers 1 '(display x)'
}

@test "immediates of every kind keep their value" {
  local bounds

  bounds=$(guile -c '(display most-positive-fixnum) (display " ") (display most-negative-fixnum)')
  persist '(define l (list 0 -1 most-positive-fixnum most-negative-fixnum #t #f #nil (list) #\a (if #f #f)))'
  answers "(0 -1 $bounds #t #f #nil () #\a #<unspecified>)" '(write l)'
  answers '(#t #t)' '(write (list (null? (list-ref l 7)) (unspecified? (list-ref l 9))))'
}

@test "a big integer keeps its limbs and can be computed with" {
  persist '(define b (expt 7 5000))'
  persist '(define c (* b b))'
  answers '(#t #t #t 4226)' <<'E'
(write (list (= b (expt 7 5000)) (= c (expt 7 10000)) (= (quotient c b) b)
             (string-length (number->string b))))
E
}

@test "many big integers survive collection after a resume" {
  persist '(define bs (map (lambda (i) (expt 3 (+ 100 i))) (iota 2000)))'
  persist '(gc) (define cs (map (lambda (b) (* b b)) bs)) (gc)'
  answers '#t' <<'E'
(gc)
(write (and (equal? bs (map (lambda (i) (expt 3 (+ 100 i))) (iota 2000)))
            (equal? cs (map (lambda (i) (expt 9 (+ 100 i))) (iota 2000)))))
E
}

@test "exact rationals" {
  persist '(define r (/ (expt 2 200) (expt 3 150)))'
  answers '(#t 1/3)' '(write (list (= (* r (expt 3 150)) (expt 2 200)) (/ 1 3)))'
}

@test "flonums, with infinities, nan and the negative zero" {
  persist '(define l (list 0.1 -0.0 +inf.0 -inf.0 +nan.0 5e-324 1.7976931348623157e308))'
  answers '(0.1 -0.0 +inf.0 -inf.0 +nan.0 5.0e-324 1.7976931348623157e308)' '(write l)'
  answers '1.4142135623730951' '(write (sqrt 2))'
}

@test "complex numbers" {
  persist '(define z (make-rectangular 1.5 -2.5)) (define p (make-polar 1 2))'
  answers '(1.5-2.5i 1.5 -2.5 -4.0-7.5i)' '(write (list z (real-part z) (imag-part z) (* z z)))'
  answers '#t' '(write (= p (make-polar 1 2)))'
}

@test "numbers are read and printed as before" {
  persist '(define s "1e3")'
  answers '(1000.0 255 #f "ff" 12345678901234567890 1/2)' <<'E'
(write (list (string->number s) (string->number "ff" 16) (string->number "x")
             (number->string 255 16) (string->number "12345678901234567890")
             (string->number "2/4")))
E
}

@test "strings of one byte a character and of four" {
  persist '(define l (string #\a (integer->char 233))) (define w (string #\a (integer->char 8364) (integer->char #x1f600)))'
  answers '(2 97 233 3 97 8364 128512)' <<'E'
(write (append (cons (string-length l) (map char->integer (string->list l)))
               (cons (string-length w) (map char->integer (string->list w)))))
E
}

@test "a string can be changed in place, and widened, over three processes" {
  persist '(define s (make-string 5 #\a)) (define t (substring s 1 3))'
  persist '(string-set! s 1 #\b)'
  persist '(string-set! s 2 (integer->char 955))'
  answers '("aa" 98 955 97)' <<'E'
(write (cons t (map (lambda (i) (char->integer (string-ref s i))) '(1 2 3))))
E
}

@test "a shared substring still writes through to its parent" {
  persist '(define s (string-copy "hello world")) (define t (substring/shared s 6 11))'
  persist '(string-set! t 0 #\W)'
  answers '"hello World"' '(write s)'
}

@test "a symbol is eq? to the one read in a later process" {
  persist "(define l (list 'foo (string->symbol \"a b\") (string->symbol (string (integer->char 955)))))"
  answers '(#t #t #t #t)' <<'E'
(write (list (eq? (car l) 'foo)
             (eq? (cadr l) (string->symbol "a b"))
             (eq? (caddr l) (string->symbol (string (integer->char 955))))
             (eq? (car l) (with-input-from-string "foo" read))))
E
}

@test "thousands of symbols stay interned through collections" {
  persist '(define (name i) (string->symbol (string-append "sym-" (number->string i)))) (define syms (map name (iota 5000)))'
  persist '(gc)'
  answers '#t' '(gc) (write (let loop ((i 0) (l syms)) (or (null? l) (and (eq? (car l) (name i)) (loop (1+ i) (cdr l))))))'
}

@test "an uninterned symbol stays different from its namesake" {
  persist "(define u (make-symbol \"foo\")) (define same u)"
  answers '(#f #t #f foo)' "(write (list (eq? u 'foo) (eq? u same) (symbol-interned? u) (string->symbol (symbol->string u))))"
}

@test "gensym does not repeat itself in a later process" {
  persist '(define a (gensym)) (define (all) (list a))'
  persist '(define b (gensym))'
  answers '3' '(use-modules (srfi srfi-1)) (write (length (delete-duplicates (list a b (gensym)))))'
}

@test "the hash of a symbol and of a string stay what they were" {
  persist "(define h (list (symbol-hash 'foo) (hash \"foo\" 1000003) (hash 'foo 1000003) (string-hash \"bar\")))"
  answers '#t' "(write (equal? h (list (symbol-hash 'foo) (hash \"foo\" 1000003) (hash 'foo 1000003) (string-hash \"bar\"))))"
}

@test "keywords" {
  persist '(define k #:key) (define made (symbol->keyword (string->symbol "other")))'
  answers '(#t #t #:key)' '(write (list (eq? k #:key) (eq? made #:other) k))'
}

@test "characters" {
  persist '(define l (list #\nul #\space (integer->char #x10ffff) (integer->char 955)))'
  answers '(0 32 1114111 955)' '(write (map char->integer l))'
  answers '923' '(write (char->integer (char-upcase (list-ref l 3))))'
}

@test "a bytevector is changed in place over three processes" {
  persist '(use-modules (rnrs bytevectors)) (define bv (make-bytevector 16 7))'
  persist '(bytevector-ieee-double-native-set! bv 8 2.5)'
  answers '(7 2.5 16)' '(write (list (bytevector-u8-ref bv 7) (bytevector-ieee-double-native-ref bv 8) (bytevector-length bv)))'
}

@test "uniform vectors of srfi-4" {
  persist '(use-modules (srfi srfi-4) (srfi srfi-4 gnu)) (define l (list (u8vector 1 255) (s16vector -1 2) (u64vector 18446744073709551615) (f32vector 0.5) (f64vector 0.1) (c64vector 1+2i)))'
  persist '(f64vector-set! (list-ref l 4) 0 0.2)'
  answers '(#u8(1 255) #s16(-1 2) #u64(18446744073709551615) #f32(0.5) #f64(0.2) #c64(1.0+2.0i))' '(write l)'
}

@test "arrays with bounds, and one sharing another" {
  persist <<'E'
(define a (make-array 0 '(1 3) 4))
(define t (transpose-array a 1 0))
E
  persist '(array-set! a 9 2 3)'
  answers '(9 2 (1 3) (0 3))' <<'E'
(write (list (array-ref t 3 2) (array-rank a)
             (car (array-shape a)) (cadr (array-shape a))))
E
}

@test "bitvectors" {
  persist '(define b (make-bitvector 100 #f)) (bitvector-set-bit! b 70)'
  persist '(bitvector-set-bit! b 3)'
  answers '(2 #t #t #f)' '(write (list (bitvector-count b) (bitvector-bit-set? b 70) (bitvector-bit-set? b 3) (bitvector-bit-set? b 4)))'
}

@test "cycles and sharing keep their identity" {
  persist <<'E'
(define c (list 1 2 3))
(set-cdr! (cddr c) c)
(define shared (list 'x))
(define v (vector shared shared))
E
  persist '(set-car! (vector-ref v 0) 42)'
  answers '(1 #t 42 #t)' '(write (list (list-ref c 300) (eq? c (cdddr c)) (car (vector-ref v 1)) (eq? shared (vector-ref v 0))))'
}

@test "object-address does not change" {
  persist '(define p (list 1)) (define at (object-address p))'
  answers '#t' '(gc) (write (= at (object-address p)))'
}

@test "a vector of a million elements" {
  persist '(define v (make-vector 1000000 0)) (let loop ((i 0)) (if (< i 1000000) (begin (vector-set! v i (* 2 i)) (loop (1+ i)))))'
  persist '(vector-set! v 500000 -1)'
  answers '(1000000 -1 1999998)' '(write (list (vector-length v) (vector-ref v 500000) (vector-ref v 999999)))'
}

@test "a deep list is walked recursively" {
  persist '(define deep (let loop ((i 0) (l (list))) (if (= i 100000) l (loop (1+ i) (list l)))))'
  answers '100000' '(define (depth l) (if (null? l) 0 (1+ (depth (car l))))) (write (depth deep))'
}

@test "association lists changed in place" {
  persist "(define al (acons 'a 1 (acons 'b 2 (list))))"
  persist "(set! al (assq-set! al 'a 10)) (set! al (assoc-set! al \"c\" 3))"
  answers '(10 2 3)' "(write (list (assq-ref al 'a) (assq-ref al 'b) (assoc-ref al \"c\")))"
}

@test "hash tables by value grow over three processes" {
  persist '(define h (make-hash-table)) (hash-set! h "one" 1) (hashv-set! h 2 "two")'
  persist '(do ((i 0 (1+ i))) ((= i 10000)) (hash-set! h (number->string i) i))'
  answers '(1 "two" 9999 10002)' '(write (list (hash-ref h "one") (hashv-ref h 2) (hash-ref h "9999") (hash-count (const #t) h)))'
}

@test "hash tables of srfi-69 and of R6RS" {
  persist <<'E'
(define t69 ((@ (srfi srfi-69) make-hash-table) string=?))
((@ (srfi srfi-69) hash-table-set!) t69 "a" 1)
(use-modules (rnrs hashtables))
(define t6 (make-eq-hashtable))
(hashtable-set! t6 'k 'v)
E
  persist '((@ (srfi srfi-69) hash-table-set!) t69 "b" 2)'
  answers '(1 2 v)' "(write (list ((@ (srfi srfi-69) hash-table-ref) t69 \"a\") ((@ (srfi srfi-69) hash-table-ref) t69 \"b\") (hashtable-ref t6 'k #f)))"
}

@test "vlists and vhashes" {
  persist "(use-modules (ice-9 vlist)) (define vl (list->vlist (iota 100))) (define vh (vhash-cons 'a 1 (vhash-cons \"b\" 2 vlist-null)))"
  persist "(set! vl (vlist-cons -1 vl)) (set! vh (vhash-consq 'c 3 vh))"
  answers '(101 -1 99 2 3)' "(write (list (vlist-length vl) (vlist-head vl) (vlist-ref vl 100) (cdr (vhash-assoc \"b\" vh)) (cdr (vhash-assq 'c vh))))"
}

@test "queues" {
  persist "(use-modules (ice-9 q)) (define q (make-q)) (enq! q 'a)"
  persist "(enq! q 'b) (deq! q) (enq! q 'c)"
  answers '(b c #t)' '(write (list (deq! q) (deq! q) (q-empty? q)))'
}

@test "lists as sets, and sets of characters" {
  persist "(use-modules (srfi srfi-1)) (define s (lset-adjoin eq? (list) 'a 'b)) (define cs (char-set-adjoin char-set:digit #\\x))"
  persist "(set! s (lset-adjoin eq? s 'b 'c))"
  answers '(3 #t #t #f)' '(write (list (length s) (char-set-contains? cs #\x) (char-set-contains? cs #\7) (char-set-contains? cs #\y)))'
  answers '#t' '(write (char-set-contains? char-set:letter #\z))'
}

@test "a compiled regular expression matches in the next process" {
  persist '(use-modules (ice-9 regex)) (define rx (make-regexp "([a-z]+)-([0-9]+)" regexp/icase))'
  answers '("FOO-42" "42")' '(let ((m (regexp-exec rx "see FOO-42."))) (write (list (match:substring m) (match:substring m 2))))'
  persist '(define many (map (lambda (i) (make-regexp (number->string i))) (iota 200)))'
  answers '200' '(use-modules (srfi srfi-1)) (gc) (write (count (lambda (r i) (regexp-exec r (number->string i))) many (iota 200)))'
}

@test "regular expressions dropped after a resume are finalised without harm" {
  persist '(define rxs (map (lambda (i) (make-regexp "(a|b)*c[0-9]{3}")) (iota 300)))'
  persist '(set! rxs #f)'
  answers 'ok' '(gc) (gc) (usleep 1000) (gc) (display "ok")'
}

@test "dates and times of srfi-19" {
  persist '(use-modules (srfi srfi-19)) (define d (make-date 5 30 20 10 2 3 2024 3600)) (define t (date->time-utc d))'
  answers '("2024-03-02T10:20:30" 1709371230 5)' '(write (list (date->string d "~Y-~m-~dT~H:~M:~S") (time-second t) (time-nanosecond t)))'
  answers '("Saturday" "March")' '(write (list (date->string d "~A") (date->string d "~B")))'
}

@test "a random state goes on with its sequence" {
  persist '(define r (seed->random-state 42)) (define first (random 1000000 r))'
  run -0 guile -c '(let* ((r (seed->random-state 42)) (a (random 1000000 r)) (b (random 1000000 r))) (write (list a b (random 1.0 r))))'
  answers "$output" '(let* ((b (random 1000000 r))) (write (list first b (random 1.0 r))))'
}

@test "promises, forced before and after" {
  persist '(define n 0) (define p (delay (begin (set! n (1+ n)) n))) (define q (delay (begin (set! n (1+ n)) n))) (force p)'
  answers '(1 2 1 2)' '(let* ((a (force p)) (b (force q)) (c (force p))) (write (list a b c n)))'
  answers '(1 2 2)' '(write (list (force p) (force q) n))'
}

@test "streams of srfi-41 are extended in each process" {
  persist '(use-modules (srfi srfi-41)) (define s (stream-map (lambda (x) (* x x)) (stream-from 1))) (stream-ref s 10)'
  persist '(stream-ref s 100)'
  answers '(1 4 9 40401)' '(write (append (stream->list 3 s) (list (stream-ref s 200))))'
}

@test "an input string port goes on from its position" {
  persist '(define p (open-input-string "one two three")) (read p)'
  persist '(unread-char #\X (begin (read-char p) p))'
  answers '(Xtwo three #t)' '(let* ((a (read p)) (b (read p))) (write (list a b (eof-object? (read p)))))'
}

@test "an output string port keeps what was written to it" {
  persist '(define p (open-output-string)) (display "ab" p)'
  persist '(display (string (integer->char 955)) p)'
  answers '(97 98 955 99)' '(display "c" p) (write (map char->integer (string->list (get-output-string p))))'
}

@test "bytevector ports" {
  persist '(use-modules (rnrs bytevectors) (ice-9 binary-ports)) (define in (open-bytevector-input-port (u8-list->bytevector (list 1 2 3)))) (get-u8 in) (define-values (out get) (open-bytevector-output-port)) (put-u8 out 9)'
  answers '(2 3 #vu8(9 8))' '(let* ((a (get-u8 in)) (b (get-u8 in))) (put-u8 out 8) (write (list a b (get))))'
}

@test "custom ports run their procedures in the next process" {
  persist <<'E'
(use-modules (ice-9 binary-ports) (rnrs bytevectors))
(define n 0)
(define p (make-custom-binary-input-port "counter"
            (lambda (bv start count)
              (set! n (1+ n))
              (bytevector-u8-set! bv start n)
              (if (> n 5) 0 1))
            #f #f #f))
(get-u8 p)
(define seen '())
(define out (make-soft-port
              (vector (lambda (c) (set! seen (cons c seen)))
                      (lambda (s) (set! seen (append (reverse (string->list s)) seen)))
                      (lambda () #t) #f #f)
              "w"))
E
  answers '(2 3 "hi")' <<'E'
(let* ((a (get-u8 p)) (b (get-u8 p)))
  (display "hi" out) (force-output out)
  (write (list a b (list->string (reverse seen)))))
E
}

@test "a void port and a port property" {
  persist "(define v (%make-void-port \"rw\")) (define p (open-input-string \"abc\")) (%set-port-property! p 'tag 7)"
  answers '(#t 7)' "(display 1 v) (write (list (eof-object? (read-char v)) (%port-property p 'tag)))"
}

@test "boxes and variables" {
  persist '(use-modules (srfi srfi-111)) (define b (box 1)) (define v (make-variable 1)) (define u (make-undefined-variable))'
  persist '(set-box! b 2) (variable-set! v 3)'
  answers '(2 3 #f)' '(write (list (unbox b) (variable-ref v) (variable-bound? u)))'
}

@test "sorting" {
  persist '(define l (map (lambda (i) (modulo (* i 7919) 10007)) (iota 10000))) (define v (list->vector l))'
  persist '(sort! v <)'
  answers '#t' '(write (equal? (sort l <) (vector->list v)))'
}

@test "format does not depend on the process" {
  persist '(use-modules (ice-9 format)) (define f "~,3f|~5d|~x|~:d|~a|~s")'
  answers '3.142|   42|ff|1,234,567|a|"a"' '(format #t f 3.14159 42 255 1234567 "a" "a")'
}

@test "options of the reader set once hold in the next process" {
  persist "(read-enable 'case-insensitive)"
  answers '(abc def)' '(write (with-input-from-string "(ABC Def)" read))'
  persist "(read-disable 'case-insensitive)"
  answers '(ABC)' '(write (with-input-from-string "(ABC)" read))'
}

@test "options of the printer hold in the next process" {
  persist "(print-enable 'escape-newlines) (print-set! quote-keywordish-symbols #t)"
  answers '(#t "a\nb")' "(write (list (->bool (memq 'escape-newlines (print-options))) \"a
b\"))"
}

@test "reader extensions of the user run in the next process" {
  persist "(read-hash-extend #\\^ (lambda (c port) (list 'quote (list 'caret (read port)))))"
  answers '(caret 5)' '(write #^5)'
}

@test "json-like nested data of some size compares equal" {
  persist <<'E'
(define (build n)
  (if (zero? n) '()
      (cons (list (cons 'id n) (cons "name" (number->string n)) (vector n (* 1.5 n) (/ n 7)))
            (build (1- n)))))
(define data (build 20000))
E
  answers '#t' '(gc) (write (equal? data (build 20000)))'
}

# The bits of this pair are nearly those of what the JIT counts with.
@test "a number behind #f is saved, where nothing else has changed" {
  persist '(define p (cons #f 1))'
  persist 1
  persist '(begin (set-cdr! p 2) (gc))'
  persist '(set-cdr! p 3)'
  answers 3 '(write (cdr p))'
}

# Bytes that are nearly what the JIT counts with: other code, no way back, and
# code where there is no memory.  Nothing else is near them.
@test "numbers in bytes that look like the JIT's are saved" {
  persist << 'E'
(begin
  (use-modules (rnrs bytevectors) (system foreign))
  (define place (- 24 (sizeof '*)))
  (define (make code back start)
    (let ((b (make-bytevector 20000 0)))
      (bytevector-u32-native-set! b 8192 code)
      (bytevector-s32-native-set! b 8196 back)
      (bytevector-s32-native-set! b 8220 start)
      (bytevector-s32-native-set! b 8224 -4)
      b))
  (define all (list (make 2 (quotient place 4) (- place))
                    (make 1 0 (- place))
                    (make 1 0 (- 8 (expt 2 31)))))
  (define (set n) (for-each (lambda (b) (bytevector-u32-native-set! b 8216 n)) all))
  (define (look) (write (map (lambda (b) (bytevector-u32-native-ref b 8216)) all))))
E
  persist '(begin (gc) (set 1))'
  persist '(set 2)'
  answers '(2 2 2)' '(look)'
}
