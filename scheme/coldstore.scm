;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore) -- what a program in a workspace can ask and be told.
;;;
;;; Part of every workspace: it is evaluated when the store is made.  The
;;; procedures whose names begin with % are made by libcs/workspace/scheme-api.c.

(define-module (coldstore)
  #:use-module (ice-9 ports internal)
  #:export (workspace-file
            workspace-generation
            workspace-generations
            workspace-saved-at
            workspace-disk-usage
            workspace-history
            set-workspace-history!
            workspace-saved?
            workspace-save-policy
            set-workspace-save-policy!
            checkpoint!
            checkpoint-failure
            rollback!
            resume-report
            set-port-resume-rule!
            port-resume-rule
            set-default-resume-rule!
            default-resume-rule
            before-checkpoint-hook
            after-resume-hook
            &workspace-error
            workspace-error?
            workspace-error-kind
            workspace-error-text
            workspace-error-advice))

;; Conditions of the procedures here.  libcs/workspace/scheme-api.c throws misc-error,
;; as it does in workspaces of 0.1.0, with the fields as the last argument.

(define &workspace-error
  (make-exception-type '&workspace-error &error '(kind text advice)))

(define make-workspace-error (record-constructor &workspace-error))

(define workspace-error? (exception-predicate &workspace-error))

(define (field-of-workspace-error name)
  (exception-accessor &workspace-error
                      (record-accessor &workspace-error name)))

(define workspace-error-kind (field-of-workspace-error 'kind))
(define workspace-error-text (field-of-workspace-error 'text))
(define workspace-error-advice (field-of-workspace-error 'advice))

;; Call THUNK, and add a workspace error to the exception that it raises.
(define (with-workspace-errors thunk)
  (with-exception-handler
   (lambda (exception)
     (let* ((arguments (exception-args exception))
            (fields (and (eq? (exception-kind exception) 'misc-error)
                         (= (length arguments) 4)
                         (list-ref arguments 3))))
       (raise-exception
        (if fields
            (make-exception (apply make-workspace-error fields) exception)
            exception))))
   thunk
   #:unwind? #t))

(define (workspace-file)
  "Return the name of the store this workspace was resumed from, as it was
given to cs-run."
  (%workspace-file))

(define (workspace-generation)
  "Return the number of the last commit: 1 when the workspace was made, one
more after each."
  (%workspace-generation))

(define (workspace-generations)
  "Return the generations that can still be had, newest first: for each a list
of its number, when it was committed, in seconds since 1970, and how many bytes
of the workspace that commit changed, #f if that is not known any more."
  (%workspace-generations))

(define (workspace-saved-at)
  "Return when the last commit was made, in seconds since 1970."
  (car (%workspace-status)))

(define (workspace-disk-usage)
  "Return how many bytes the store takes up on disk, without its history."
  (cadr (%workspace-status)))

(define (workspace-history)
  "Return how many generations before the newest one are kept."
  (caddr (%workspace-status)))

(define (set-workspace-history! number)
  "From the next checkpoint on, keep NUMBER generations before the newest
one.  The store remembers it."
  (unless (and (exact-integer? number) (<= 0 number #xffffffff))
    (scm-error 'wrong-type-arg "set-workspace-history!"
               "Not a number of generations: ~S" (list number)
               (list number)))
  (with-workspace-errors (lambda () (%set-workspace-history! number))))

(define (workspace-saved?)
  "Is what this process does to the workspace saved, or is it --ephemeral,
--no-save or a forked child?"
  (cadddr (%workspace-status)))

(define (workspace-save-policy)
  "Return the symbol that says whether the workspace is saved at the end of a
run: success, always, never or ask."
  (%workspace-save-policy))

(define (set-workspace-save-policy! policy)
  "Let POLICY (success, always, never or ask) decide from the next checkpoint on
whether the workspace is saved at the end of a run."
  (unless (and (symbol? policy)
               (%set-workspace-save-policy! (symbol->string policy)))
    (scm-error 'wrong-type-arg "set-workspace-save-policy!"
               "Not a policy: ~S (expecting success, always, never or ask)"
               (list policy) (list policy))))

(define (checkpoint-failure)
  "Return a string that says why the last checkpoint of this process failed,
or #f if it did not."
  (list-ref (%workspace-status) 4))

(define (checkpoint!)
  "Save the workspace as it is now and go on.  Return the new generation; it
is on stable storage then.  Raise an error if it cannot be saved: the last
generation stands."
  (with-workspace-errors %checkpoint!))

(define nothing (make-symbol "nothing"))

;; Is this evaluated by a REPL?
(define (in-repl?)
  (let ((module (resolve-module '(system repl common) #f #:ensure #f)))
    (and module (pair? (fluid-ref (module-ref module '*repl-stack*))))))

(define* (rollback! #:optional (expression nothing))
  "Drop all that has happened since the last commit and go on from there, in
this process.  Evaluate EXPRESSION then, in the module that is the current one
then, and leave.  Without EXPRESSION a REPL begins anew, and a program ends with
status 0.  Raise an error if this cannot be done: then nothing has changed."
  (when (number? expression)
    (scm-error 'wrong-type-arg "rollback!"
               "Only the last commit can be gone back to, not ~S: make a \
workspace of that generation (cs-create --from)"
               (list expression) (list expression)))
  (let ((text (and (not (eq? expression nothing))
                   (call-with-output-string
                     (lambda (port) (write expression port))))))
    (with-workspace-errors (lambda () (%rollback! text (in-repl?))))))

(define (resume-report)
  "Return what was not at this resume as the last process had left it, as a
list of pairs: a symbol (weeded, reopened, closed, missing, changed or
stopped) and a string that says what.  The empty list if there is nothing to
say."
  (%resume-report))

;; Run without arguments in the main thread: the first before the ports
;; are flushed and the image is written, the second when the workspace has
;; been resumed, before Guile's command line is looked at.
(define before-checkpoint-hook (make-hook))
(define after-resume-hook (make-hook))

;; Ports on files, at a resume.  The rules are described in
;; coldstore-policy(5), `files'.

(define rules '(reopen reopen-at-end close fail))
(define port-rules (make-weak-key-hash-table))
(define general-rule #f)

(define (check-rule rule who)
  (unless (or (not rule) (memq rule rules))
    (scm-error 'wrong-type-arg who
               "Not a rule: ~S (expecting one of ~A, or #f)"
               (list rule rules) (list rule))))

(define (check-port port who)
  (unless (file-port? port)
    (scm-error 'wrong-type-arg who "Wrong type (expecting file port): ~S"
               (list port) (list port))))

(define (set-port-resume-rule! port rule)
  "Set what becomes of PORT at a resume, if its file is not the same any more:
the symbol reopen, reopen-at-end, close or fail; #f to leave it to the policy."
  (check-port port "set-port-resume-rule!")
  (check-rule rule "set-port-resume-rule!")
  (if rule
      (hashq-set! port-rules port rule)
      (hashq-remove! port-rules port)))

(define (port-resume-rule port)
  "Return the rule that was set for PORT, or #f."
  (hashq-ref port-rules port #f))

(define (set-default-resume-rule! rule)
  "Set the rule for ports that have none of their own and that no `files'
rule of the policy speaks of; #f for none, which is close."
  (check-rule rule "set-default-resume-rule!")
  (set! general-rule rule))

(define (default-resume-rule)
  "Return the rule that was set for all ports, or #f."
  general-rule)

;; Called by libcs/workspace/requests.c: what the REPL handles SIGINT with, or #f if
;; there never was a REPL.
(define (repl-handler)
  (let ((module (resolve-module '(ice-9 top-repl) #f #:ensure #f)))
    (and module
         ((module-ref module 'call-with-sigint)
          (lambda () (car (sigaction SIGINT)))))))

;; Called by libcs/guile/ports.c when the workspace is made: PORT's buffers.
(define (port-buffers port)
  (cons (port-read-buffer port) (port-write-buffer port)))
