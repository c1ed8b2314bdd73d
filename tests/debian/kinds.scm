;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; kinds.scm -- one object of each kind that a workspace can hold, and the use
;;; of it that shows whether it is whole.  Loaded into a store in one place;
;;; (use-kinds) in others prints what is not as it was, and how many there are.
;;; (kinds-again) makes new objects of the same kinds.

(use-modules (ice-9 control) (ice-9 format) (ice-9 hash-table)
             (ice-9 i18n) (ice-9 match) (ice-9 popen) (ice-9 rdelim)
             (ice-9 regex) (ice-9 textual-ports) (ice-9 threads)
             (ice-9 weak-vector) (oop goops) (rnrs bytevectors)
             (srfi srfi-1) (srfi srfi-9) (srfi srfi-9 gnu) (srfi srfi-19)
             (srfi srfi-26) (srfi srfi-41) (srfi srfi-43) (sxml simple)
             (system base compile) (system foreign) (system vm program)
             (web uri))

(define makers '())                     ; (NAME MAKE USE)
(define kinds '())                      ; (NAME OBJECT USE)

(define-syntax-rule (kind name object (x) use)
  (set! makers (cons (list name (lambda () object) (lambda (x) use)) makers)))

(define (kinds-again)
  (set! kinds
        (map (match-lambda ((name make use) (list name (make) use)))
             (reverse makers))))

(define (use-kinds)
  (for-each
   (match-lambda
     ((name object use)
      (catch #t
        (lambda ()
          (unless (use object) (format #t "~a: not as it was~%" name)))
        (lambda error (format #t "~a: ~s~%" name error)))))
   kinds)
  (format #t "~a kinds~%" (length kinds)))

;; ------------------------------------------------------------------- numbers

(kind "big integer" (expt 3 1000) (x)
      (and (= (remainder x 10007) (modulo-expt 3 1000 10007))
           (= (quotient (* x x) x) x)
           (= (string-length (number->string x)) 478)))
(kind "rational" (/ (expt 2 70) 9) (x) (= (* x 9) (expt 2 70)))
(kind "flonum" (sqrt 2.0) (x) (< (abs (- (* x x) 2)) 1e-9))
(kind "complex" (make-rectangular 1.0 2.0) (x) (= (magnitude x) (sqrt 5.0)))
(kind "random state" (seed->random-state 42) (x) (< -1 (random 1000 x) 1000))

;; ---------------------------------------------------------------------- text

(kind "string" (string-append "alpha" "beta") (x) (string=? x "alphabeta"))
(kind "wide string" (string #\x3bb #\xe9 #\x1d49c) (x)
      (and (= (string-length x) 3)
           (string=? (string-normalize-nfc (string-normalize-nfd x)) x)
           (string=? (string-upcase (substring x 0 2)) "\u039b\u00c9")))
(kind "shared substring" (substring/shared "a long string" 2 6) (x)
      (string=? x "long"))
(kind "symbol" (string->symbol "made here") (x)
      (eq? x (string->symbol "made here")))
(kind "uninterned symbol" (make-symbol "alone") (x)
      (not (eq? x (string->symbol "alone"))))
(kind "keyword" #:word (x) (eq? x (symbol->keyword 'word)))
(kind "character set" (char-set-adjoin char-set:digit #\x3bb) (x)
      (and (char-set-contains? x #\x3bb) (char-set-contains? x #\7)))
(kind "regular expression" (make-regexp "^(a+)(b*)$") (x)
      (string=? (match:substring (regexp-exec x "aab") 2) "b"))
(kind "locale" (make-locale LC_ALL "C") (x)
      (and (string-locale<? "a" "b" x)
           (string=? (string-locale-downcase "ABC" x) "abc")))
(kind "date" (make-time time-utc 0 86400) (x)
      (string=? (date->string (time-utc->date x 0) "~Y-~m-~d") "1970-01-02"))

;; ---------------------------------------------------------------- containers

(kind "list" (iota 1000) (x) (= (fold + 0 x) 499500))
(kind "circular list" (circular-list 1 2) (x) (= (list-ref x 101) 2))
(kind "vector" (vector-map (lambda (i x) (* i i)) (make-vector 100)) (x)
      (= (vector-ref x 99) 9801))
(kind "bytevector" (u8-list->bytevector (iota 256)) (x)
      (= (bytevector-u32-ref x 4 (endianness big)) #x04050607))
(kind "uniform vector" #f64(1.5 2.5) (x) (= (f64vector-ref x 1) 2.5))
(kind "bit vector" (make-bitvector 70 #t) (x)
      (and (= (bitvector-length x) 70) (array-ref x 69)))
(kind "array" (make-shared-array (list->array 2 '((1 2) (3 4)))
                                 (lambda (i j) (list j i)) 2 2) (x)
      (equal? (array->list x) '((1 3) (2 4))))
(kind "hash table by equal?" (alist->hash-table '(("k" . 1) ((2) . 3))) (x)
      (and (= (hash-ref x "k") 1) (= (hash-ref x (list 2)) 3)))
(kind "hash table by address"
      (let ((keys (map list (iota 100))) (table (make-hash-table)))
        (for-each (cut hashq-set! table <> #t) keys)
        (cons keys table)) (x)
      (begin (gc) (every (cut hashq-ref (cdr x) <>) (car x))))
(kind "weak table" (let ((key (list 1)) (table (make-weak-key-hash-table)))
                     (hashq-set! table key 'value) (cons key table)) (x)
      (begin (gc) (eq? (hashq-ref (cdr x) (car x)) 'value)))
(kind "weak vector" (let ((kept (list 1))) (cons kept (weak-vector kept))) (x)
      (begin (gc) (eq? (weak-vector-ref (cdr x) 0) (car x))))
(kind "object properties" (let ((p (make-object-property)) (o (list 1)))
                            (set! (p o) 'yes) (cons o p)) (x)
      (eq? ((cdr x) (car x)) 'yes))
(kind "stream" (stream-from 1) (x) (= (stream-ref x 50) 51))

;; ------------------------------------------------------------ types and code

(define-record-type <point> (make-point x y) point? (x point-x set-point-x!)
                    (y point-y))
(define-immutable-record-type <fixed> (make-fixed a b) fixed? (a fixed-a)
                              (b fixed-b))
(define-class <shape> () (name #:init-keyword #:name #:accessor name))
(define-class <circle> (<shape>) (radius #:init-keyword #:radius))
(define-method (area (c <circle>)) (* 3 (slot-ref c 'radius)))
(define-method (area (s <shape>)) 0)

(kind "record" (make-point 1 2) (x)
      (begin (set-point-x! x (+ (point-y x) 5)) (= (point-x x) 7)))
(kind "immutable record" (make-fixed 1 2) (x)
      (= (fixed-a (set-field x (fixed-a) 9)) 9))
(kind "instance" (make <circle> #:name "c" #:radius 2) (x)
      (and (= (area x) 6) (string=? (name x) "c")
           (= (area (make <shape> #:name "s")) 0)))
(kind "struct" (make-struct/no-tail (make-vtable "pwpw") 1 'two) (x)
      (eq? (struct-ref x 1) 'two))
(kind "closure" (let ((n 0)) (lambda () (set! n (+ n 1)) n)) (x)
      (let ((n (x))) (= (x) (+ n 1))))
(kind "procedure with optional and keyword arguments"
      (lambda* (a #:optional (b 2) #:key (c 3) #:rest r) (list a b c)) (x)
      (equal? (x 1 5 #:c 6) '(1 5 6)))
(kind "case-lambda" (case-lambda ((a) 1) ((a b) 2)) (x) (= (x 1 2) 2))
(kind "compiled procedure" (compile '(lambda (x) (* x x)) #:env (current-module))
      (x) (= (x 12) 144))
(kind "machine code"
      (let ((sum (lambda (n) (let lp ((i 0) (s 0))
                               (if (= i n) s (lp (+ i 1) (+ s i)))))))
        (do ((i 0 (+ i 1))) ((= i 200) sum) (sum 1000))) (x)
      (= (x 100000) 4999950000))
(kind "every primitive of (guile)"
      (hash-map->list cons (module-obarray (resolve-interface '(guile)))) (x)
      (every (match-lambda
               ((symbol . variable)
                (or (not (variable-bound? variable))
                    (not (procedure? (variable-ref variable)))
                    (string? (object->string (variable-ref variable))))))
             x))
(kind "primitives as values" (list car + string-append vector-ref) (x)
      (equal? (list ((first x) '(1)) ((second x) 1 2) ((third x) "a" "b")
                    ((fourth x) #(7) 0))
              '(1 3 "ab" 7)))
(kind "macro" (begin (eval '(define-syntax-rule (swap! a b)
                              (let ((t a)) (set! a b) (set! b t)))
                           (current-module))
                     (current-module)) (x)
      (equal? (eval '(let ((p 1) (q 2)) (swap! p q) (list p q)) x) '(2 1)))
(kind "module" (let ((m (make-fresh-user-module)))
                 (eval '(begin (use-modules (srfi srfi-1))
                               (define v (first '(5))))
                       m)
                 m) (x)
      (= (eval '(+ v (last '(1 2))) x) 7))
(kind "promise" (delay (+ 1 2)) (x) (= (force x) 3))

;; ------------------------------------------------------------------- control

(kind "delimited continuation" (% (+ 1 (abort (lambda (k) k)))) (x)
      (= (x 10) 11))
(kind "parameter" (make-parameter 1 (cut + 1 <>)) (x)
      (and (= (x) 2) (= (parameterize ((x 5)) (x)) 6)))
(kind "fluid" (make-fluid 'default) (x)
      (and (eq? (fluid-ref x) 'default)
           (= (with-fluids ((x 1)) (fluid-ref x)) 1)))
(kind "hook" (let ((h (make-hook 1)) (seen (list #f)))
               (add-hook! h (cut set-car! seen <>)) (cons h seen)) (x)
      (begin (run-hook (car x) 'run) (eq? (cadr x) 'run)))
(kind "guardian" (let ((g (make-guardian))) (g (list 'guarded)) g) (x)
      (begin (gc) (x) #t))
(kind "exception" (catch #t (lambda () (car 1)) list) (x)
      (eq? (car x) 'wrong-type-arg))
(kind "mutex" (make-mutex) (x) (with-mutex x #t))
(kind "condition variable" (cons (make-mutex) (make-condition-variable)) (x)
      (with-mutex (car x)
        (not (wait-condition-variable (cdr x) (car x) 1))))
(kind "new thread" car (x) (= (join-thread (call-with-new-thread
                                            (lambda () (x '(4))))) 4))
(kind "thread that has ended" (let ((t (call-with-new-thread (const 8))))
                                (join-thread t) t) (x)
      (thread-exited? x))
(kind "signal handler" (let ((seen (list #f)))
                         (sigaction SIGUSR2 (lambda _ (set-car! seen #t)))
                         seen) (x)
      (begin (set-car! x #f) (kill (getpid) SIGUSR2)
             (let lp ((i 0))
               (or (car x) (and (< i 1000) (begin (usleep 1000) (lp (+ i 1))))))))

;; ------------------------------------------------------- ports and processes

(kind "string port" (open-input-string "first\nsecond") (x)
      (begin (seek x 0 SEEK_SET) (string=? (read-line x) "first")))
(kind "bytevector port in another encoding"
      (let ((p (open-bytevector-input-port* #vu8(233 10))))
        (set-port-encoding! p "ISO-8859-1") p) (x)
      (begin (seek x 0 SEEK_SET) (eqv? (read-char x) #\xe9)))
(kind "file port" (open-input-file "/dev/zero") (x)
      (eqv? (read-char x) #\nul))
(kind "soft port" (make-soft-port (vector #f #f #f (const #\c) #f) "r") (x)
      (eqv? (read-char x) #\c))
(kind "child process" "echo out" (x)
      (let* ((p (open-input-pipe x)) (line (read-line p)))
        (close-pipe p) (string=? line "out")))
(kind "uri" (string->uri "http://example.org:80/a?b") (x)
      (= (uri-port x) 80))
(kind "xml" (xml->sxml "<a><b c='d'/></a>") (x)
      (string=? (with-output-to-string (lambda () (sxml->xml (cdr x))))
                "<a><b c=\"d\" /></a>"))

;; -------------------------------------------------------------- foreign code

(kind "function of libc"
      (pointer->procedure size_t (dynamic-func "strlen" (dynamic-link)) '(*))
      (x) (= (x (string->pointer "four")) 4))
(kind "function of libm"
      (pointer->procedure double (dynamic-func "hypot" (dynamic-link "libm.so.6"))
                          (list double double))
      (x) (= (x 3.0 4.0) 5.0))
(kind "function of libz"
      (pointer->procedure unsigned-long
                          (dynamic-func "crc32" (dynamic-link "libz.so.1"))
                          (list unsigned-long '* unsigned-int))
      (x) (= (x 0 (string->pointer "123456789") 9) #xcbf43926))
(kind "callback"
      (cons (procedure->pointer int (lambda (a b)
                                      (- (first (parse-c-struct a (list int)))
                                         (first (parse-c-struct b (list int)))))
                                '(* *))
            (pointer->procedure void (dynamic-func "qsort" (dynamic-link))
                                (list '* size_t size_t '*))) (x)
      (let ((v (s32vector 3 1 2)))
        ((cdr x) (bytevector->pointer v) 3 4 (car x))
        (equal? v #s32(1 2 3))))
(kind "pointer into the heap" (let ((v (u8vector 1 2 3)))
                                (cons v (bytevector->pointer v))) (x)
      (= (u8vector-ref (pointer->bytevector (cdr x) 3) 2) 3))

(define (open-bytevector-input-port* bytes)
  ((@ (rnrs io ports) open-bytevector-input-port) bytes))
