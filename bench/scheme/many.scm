;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; many.scm -- what a save costs beside many of one thing.
;;;
;;; cs-run STORE many.scm KIND N: make N of KIND, save five times with one word
;;; changed before each, and print the shortest in seconds.

(use-modules (coldstore) (ice-9 threads) (system foreign))

(define kept '())

(define (make n thunk)
  (do ((i 0 (1+ i))) ((= i n))
    (set! kept (cons (thunk) kept))))

(define (with-ended-thread)
  (let ((thread (call-with-new-thread (const 0))))
    (join-thread thread)
    thread))

(define (libc name)
  (dynamic-func name (dynamic-link)))

(define (add-number-hook)
  (add-hook! after-resume-hook (lambda () (length kept))))

(define (new-module)
  (resolve-module (list 'bench 'many (gensym))))

(define kinds
  `((ports . ,(lambda () (open-input-file "/dev/null")))
    (string-ports . ,open-output-string)
    (sockets . ,(lambda () (socket PF_UNIX SOCK_STREAM 0)))
    (threads-ended . ,with-ended-thread)
    (pointers . ,(lambda () (make-pointer (* 16 (1+ (length kinds))))))
    (functions . ,(lambda () (pointer->procedure int (libc "abs") (list int))))
    (callbacks . ,(lambda () (procedure->pointer int 1+ (list int))))
    (hooks . ,add-number-hook)
    (guardians . ,make-guardian)
    (weak-tables . ,(lambda () (make-weak-key-hash-table 1)))
    (modules . ,new-module)
    (mutexes . ,make-mutex)
    (regexps . ,(lambda () (make-regexp "a*b")))
    (continuations . ,(lambda () (call-with-current-continuation identity)))
    (generations . ,(lambda () (checkpoint!)))))

(define (seconds thunk)
  (let ((began (get-internal-real-time)))
    (thunk)
    (/ (- (get-internal-real-time) began)
       (exact->inexact internal-time-units-per-second))))

(define (save)
  (set! kept (cons 'changed kept))
  (seconds checkpoint!))

(define (main kind n)
  (make n (assq-ref kinds kind))
  (gc)
  (checkpoint!)
  (display (apply min (map (lambda (i) (save)) (iota 5))))
  (newline))

(main (string->symbol (cadr (command-line)))
      (string->number (caddr (command-line))))
