;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore threads) -- Guile's own modules about threads, in a process
;;; that has resumed: what they know of threads that are gone.
;;;
;;; Part of every workspace: it is evaluated when the store is made.  The
;;; procedures whose names begin with % are made by libcs/workspace/scheme-api.c.
;;; What is taken from the modules (ice-9 threads), (ice-9 futures) and
;;; (srfi srfi-18) by name is theirs since Guile 3.0.0.

(define-module (coldstore threads)
  #:use-module (ice-9 threads)
  #:use-module (ice-9 futures)
  #:use-module (ice-9 q))

;; Threads that ended with their process, and not by themselves.
(define gone (make-weak-key-hash-table))

(define (gone? thread)
  (hashq-ref gone thread #f))

;;; join-thread returns what call-with-new-thread has noted for the thread, and
;;; waits until there is something.  For a thread that was cancelled without
;;; values these are no values.

(define thread-join-data (@@ (ice-9 threads) thread-join-data))
(define thread-results (@@ (ice-9 threads) %thread-results))

(define (end-thread! thread)
  (let ((data (thread-join-data thread)))
    (when (and data (not (thread-results (car data))))
      (hashq-set! gone thread #t)
      ((setter thread-results) (car data) '()))))

;;; Futures: the threads that worked on them are started again when the next
;;; future is made.  One that was being worked on begins again from its start:
;;; at once if others wait for it, else when it is touched.  Its mutex tells
;;; that it was begun in an earlier process, as nothing of this one has
;;; looked at it.

(define futures (resolve-module '(ice-9 futures)))
(define future-type (module-ref futures '<future>))
(define future-state (record-accessor future-type 'state))
(define set-future-state! (record-modifier future-type 'state))
(define future-mutex (record-accessor future-type 'mutex))

(define (futures-ref name)
  (module-ref futures name))

(define (was-interrupted? future)
  (and (eq? (future-state future) 'started)
       (%mutex-is-old? (future-mutex future))))

;; Under the lock of all futures.
(define (begin-again! future)
  (when (was-interrupted? future)
    (with-mutex (future-mutex future)
      (set-future-state! future 'queued))
    (enq! (futures-ref '%futures) future)
    (signal-condition-variable (futures-ref '%futures-available))))

(define (restart-futures!)
  (with-mutex (futures-ref '%futures-mutex)
    (for-each begin-again! (map car (futures-ref '%futures-waiting))))
  (module-set! futures '%workers '())
  (module-set! futures 'create-workers! (futures-ref '%create-workers!)))

(let ((touch (futures-ref 'touch)))
  (module-set! futures 'touch
               (lambda (future)
                 "Return the result of FUTURE, computing it if not already
done."
                 (when (and (future? future) (was-interrupted? future))
                   (with-mutex (futures-ref '%futures-mutex)
                     (begin-again! future)))
                 (touch future))))

;;; SRFI 18 keeps in records of its own who holds a mutex and whether it was
;;; abandoned, and raises exceptions of its own.  The module is changed at the
;;; first resume that finds it loaded: before, there is nothing to change.

(define srfi-18-is-ready #f)

(define (change! module name make)
  (module-set! module name (make (module-ref module name))))

(define (ready-srfi-18! module)
  (let* ((type (module-ref module '<mutex>))
         (mutex? (record-predicate type))
         (prim (record-accessor type 'prim))
         (owner (record-accessor type 'owner))
         (set-owner! (record-modifier type 'owner))
         (set-abandoned! (record-modifier type 'abandoned?))
         (thread-type (module-ref module '<thread>))
         (srfi-thread? (record-predicate thread-type))
         (thread-prim (record-accessor thread-type 'prim))
         (terminated (module-ref module 'make-terminated-thread-exception)))
    (define (settle! mutex)
      (when (and (mutex? mutex) (%mutex-was-abandoned? (prim mutex)))
        (set-abandoned! mutex (and (owner mutex) #t))
        (set-owner! mutex #f)))
    (define (settled procedure)
      (lambda (mutex . rest)
        (settle! mutex)
        (apply procedure mutex rest)))
    (for-each (lambda (name) (change! module name settled))
              '(mutex-state mutex-lock! mutex-unlock!))
    (change! module 'thread-join!
             (lambda (thread-join!)
               (lambda (thread . rest)
                 (if (and (srfi-thread? thread)
                          (gone? (thread-prim thread)))
                     (raise-exception (terminated) #:continuable? #t)
                     (apply thread-join! thread rest)))))))

;; Called with a list of the threads that are gone, before anything of the
;; program's runs, at each resume that has something for it to do: libcs/guile/
;; module.c looks at the same conditions before, and finds SRFI 18 in here.
(define srfi-modules (module-submodules (resolve-module '(srfi) #f)))

(define (resumed threads)
  (for-each end-thread! threads)
  (unless (null? (futures-ref '%workers))
    (restart-futures!))
  (unless srfi-18-is-ready
    (let ((module (resolve-module '(srfi srfi-18) #f #:ensure #f)))
      (when module
        (set! srfi-18-is-ready #t)
        (ready-srfi-18! module)))))
