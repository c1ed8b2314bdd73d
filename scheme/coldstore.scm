;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore) -- what a program in a workspace can ask and be told.
;;;
;;; Part of every workspace: it is evaluated when the store is made.  The
;;; procedures whose names begin with % are made by libcs/guile/module.c.

(define-module (coldstore)
  #:use-module (ice-9 ports internal)
  #:export (workspace-file
            workspace-generation
            checkpoint!
            resume-report
            before-checkpoint-hook
            after-resume-hook))

(define (workspace-file)
  "Return the name of the store this workspace was resumed from, as it was
given to cs-run."
  (%workspace-file))

(define (workspace-generation)
  "Return the number of the last commit: 1 when the workspace was made, one
more after each."
  (%workspace-generation))

(define (checkpoint!)
  "Save the workspace as it is now and go on.  Return the new generation; it
is on stable storage then.  Raise an error if it cannot be saved: the last
generation stands."
  (%checkpoint!))

(define (resume-report)
  "Return what was not at this resume as the last process had left it, as a
list of pairs: a symbol (weeded, reopened, closed, missing, changed or
stopped) and a string that says what.  The empty list if there is nothing to
say."
  (%resume-report))

;; Run without arguments in the workspace thread: the first before the ports
;; are flushed and the image is written, the second when the workspace has
;; been resumed, before Guile's command line is looked at.
(define before-checkpoint-hook (make-hook))
(define after-resume-hook (make-hook))

;; Called by libcs/guile/ports.c with a port that is connected to something
;; else from now on: what it had read ahead, what it had not written, and
;; where it stood in its lines are forgotten.
(define (begin-anew! port)
  (define (empty! buffer)
    (set-port-buffer-cur! buffer 0)
    (set-port-buffer-end! buffer 0)
    (set-port-buffer-has-eof?! buffer #f))
  (empty! (port-read-buffer port))
  (empty! (port-write-buffer port))
  (set-port-line! port 0)
  (set-port-column! port 0))
