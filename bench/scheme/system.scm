;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; system.scm -- (system "true") while a checkpoint of MIB is put into the image.
;;;
;;; usage: cs-run STORE system.scm MIB ROUNDS
;;;
;;; Prints two numbers, in seconds: the median of ROUNDS calls during the apply, and
;;; that of as many calls before.  Ends with 1 if the apply was over too early.

(use-modules (coldstore) (ice-9 ftw) (rnrs bytevectors))

(define mib (string->number (list-ref (command-line) 1)))
(define rounds (string->number (list-ref (command-line) 2)))

(define (seconds thunk)
  (let ((begin (get-internal-real-time)))
    (thunk)
    (exact->inexact (/ (- (get-internal-real-time) begin)
                       internal-time-units-per-second))))

(define (median-of-calls)
  (list-ref (sort (map (lambda (i) (seconds (lambda () (system "true"))))
                       (iota rounds))
                  <)
            (quotient rounds 2)))

(define (threads)
  (length (scandir "/proc/self/task" (lambda (name) (string->number name)))))

(define data (map (lambda (i) (make-bytevector 1048576 i)) (iota mib)))
(checkpoint!)
(define deadline (+ (current-time) 300))
(while (and (> (threads) 3) (< (current-time) deadline))
  (usleep 100000))
(define alone (threads))
(define idle (median-of-calls))
(for-each (lambda (block)
            (do ((i 0 (+ i 4096)))
                ((= i 1048576))
              (bytevector-u8-set! block i (logxor 1 (bytevector-u8-ref block i)))))
          data)
(checkpoint!)
(define beside (median-of-calls))
(define still-applying? (> (threads) alone))
(format #t "~a ~a~%" beside idle)
(force-output)
(primitive-_exit (if still-applying? 0 1))
