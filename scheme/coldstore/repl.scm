;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore repl) -- commands of the REPL: ,checkpoint ,rollback ,workspace;
;;; and its line editor, in each process.
;;;
;;; Part of every workspace: it is evaluated when the store is made.  The
;;; commands are defined when a REPL is loaded, and not before: what knows
;;; them is part of the REPL.

(define-module (coldstore repl)
  #:use-module (coldstore))

(define (show . parts)
  (for-each display parts)
  (newline))

(define (time-string seconds)
  (strftime "%Y-%m-%d %H:%M:%S" (localtime seconds)))

(define units '("bytes" "KiB" "MiB" "GiB" "TiB" "PiB"))

;; To one decimal.
(define (size-string bytes)
  (let loop ((size bytes) (left units))
    (if (or (< size 1024) (null? (cdr left)))
        (string-append (number->string
                        (if (eq? left units)
                            size
                            (/ (round (* size 10.0)) 10)))
                       " " (car left))
        (loop (/ size 1024) (cdr left)))))

(define (plural number noun)
  (string-append (number->string number) " " noun (if (= number 1) "" "s")))

(define (show-checkpoint)
  (show "generation " (checkpoint!)))

(define (show-rollback)
  (show "back to generation " (workspace-generation) " of "
        (time-string (workspace-saved-at)))
  (rollback!))

(define (show-history)
  (let ((older (cdr (workspace-generations))))
    (show "history     " (plural (workspace-history) "older generation")
          (if (null? older) ", none yet" ", from ")
          (if (null? older) "" (caar (last-pair older)))
          (if (null? older) "" " on"))))

(define (show-workspace)
  (show "store       " (workspace-file))
  (show "generation  " (workspace-generation))
  (show "saved       " (time-string (workspace-saved-at)))
  (show "on disk     " (size-string (workspace-disk-usage)))
  (show-history)
  (unless (workspace-saved?)
    (show "what happens in this process is not saved"))
  (when (checkpoint-failure)
    (show "the last checkpoint failed: " (checkpoint-failure))))

;; Read as what they are only when the REPL is there.
(define commands
  '((define-meta-command ((checkpoint coldstore) repl)
      "checkpoint
Save the workspace as it is now."
      (show-checkpoint))
    (define-meta-command ((rollback coldstore) repl)
      "rollback
Drop all that has happened since the last checkpoint."
      (show-rollback))
    (define-meta-command ((workspace coldstore) repl)
      "workspace
Show the workspace: file, generation, size, history."
      (show-workspace))))

(define (define-commands!)
  (let ((module (make-fresh-user-module)))
    (module-use! module (resolve-interface '(system repl command)))
    (module-use! module (resolve-module '(coldstore repl)))
    (for-each (lambda (command) (eval command module)) commands)))

;; A module is defined when what it uses has been loaded; (system repl repl)
;; uses (system repl command) (Guile 3.0, boot-9.scm, define-module*).
(define (watch module)
  (when (equal? (module-name module) '(system repl repl))
    (remove-hook! module-defined-hook watch)
    (define-commands!)))

(add-hook! module-defined-hook watch)

;;; guile-readline is an extension that begins anew in each process, as
;;; libreadline does, but the module (ice-9 readline) has been there since it
;;; was loaded.  What it has told the extension is kept at a checkpoint and
;;; told again; the history is read as if the module began.  Its names are
;;; those of Guile 3.0.8 to 3.0.11.
;;;
;;; Where libreadline is missing there is no line editor.  What would call it
;;; raises an error that says so, and lines are read as without a terminal.

(define readline-settings #f)           ; options, and the completion function
(define activate-readline #f)           ; the module's, while it is lost

;; The value of NAME in (ice-9 readline), or #f.
(define (readline-value name)
  (let ((module (resolve-module '(ice-9 readline) #f #:ensure #f)))
    (and module (module-variable module name) (module-ref module name))))

(define (keep-readline!)
  (when (and (readline-value 'readline-options-interface)
             (not activate-readline))
    (set! readline-settings
          (list ((readline-value 'readline-options-interface))
                (readline-value '*readline-completion-function*)))))

;; The file, or the copy that the workspace carries.
(define (readline-library)
  (or (false-if-exception (dynamic-link "guile-readline"))
      (dynamic-link "guile-readline.so.0")))

;; Raises an error if libreadline is missing; it has no history yet.
(define (begin-readline!)
  (let ((module (resolve-module '(ice-9 readline) #f #:ensure #f)))
    (save-module-excursion
     (lambda ()
       (set-current-module module)
       (dynamic-call "scm_init_readline" (readline-library))))
    ((readline-value 'readline-options-interface) (car readline-settings))
    (module-set! module '*readline-completion-function*
                 (cadr readline-settings))
    ((readline-value 'clear-history))
    (when activate-readline
      (module-set! module 'activate-readline activate-readline)
      (set! activate-readline #f))))

;; The module's exit hook writes the history that it is told to, and clears
;; it.  What is replaced here is defined again when the extension begins.
(define (lose-readline! key args)
  (define module (resolve-module '(ice-9 readline) #f #:ensure #f))
  (define (fail . ignored)
    (apply throw key args))
  (define (do-nothing . ignored)
    #f)
  (define (options . new)
    (if (null? new) (car readline-settings) (fail)))
  (unless activate-readline
    (set! activate-readline (module-ref module 'activate-readline)))
  (for-each (lambda (name procedure)
              (module-set! module name procedure))
            '(%readline add-history read-history write-history clear-history
              readline-options-interface activate-readline)
            (list fail fail fail do-nothing do-nothing options do-nothing)))

(define (read-history!)
  (when (and (readline-value 'the-readline-port)
             (memq 'history-file (car readline-settings)))
    ((readline-value 'read-history)
     (or (getenv (readline-value 'history-variable))
         (readline-value 'history-file)))))

;; Standard input is edited where it is a terminal.
(define (follow-terminal!)
  (let* ((edited (readline-value 'the-readline-port))
         (plain (readline-value 'input-port))
         (active? (eq? repl-reader (readline-value 'readline-repl-reader)))
         (terminal? (and active? (not activate-readline) (isatty? plain))))
    (when (and active? edited)
      (set-current-input-port (if terminal? edited plain))
      (set! (using-readline?) terminal?))))

;; Called in a process that has resumed.
(define (restart-readline!)
  (when readline-settings
    (catch #t
      begin-readline!
      (lambda (key . args) (lose-readline! key args)))
    (unless activate-readline
      (false-if-exception (read-history!)))
    (follow-terminal!)))
