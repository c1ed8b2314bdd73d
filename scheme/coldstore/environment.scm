;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore environment) -- what follows from the environment.
;;;
;;; Part of every workspace: it is evaluated when the store is made, and
;;; called by libcs/guile/environment.c, which describes settings: lists of
;;; strings such as "GUILE_LOAD_PATH=/a:/b" and "-L/c".
;;;
;;; For each variable of Guile's that was set up from the environment there
;;; is a procedure here that says what a setting makes of it.  If the variable
;;; is not what the old setting made of it, the program has changed it.

(define-module (coldstore environment))

(define (value-of setting name)
  "Return the value of environment variable NAME, or #f."
  (let ((prefix (string-append name "=")))
    (or-map (lambda (entry)
              (and (string-prefix? prefix entry)
                   (substring entry (string-length prefix))))
            setting)))

(define (arguments setting switch)
  "Return what was given with SWITCH, in the order of the command line."
  (cond ((null? setting) '())
        ((string-prefix? switch (car setting))
         (cons (substring (car setting) (string-length switch))
               (arguments (cdr setting) switch)))
        (else (arguments (cdr setting) switch))))

;; Lists.

(define (without list element)
  "Return LIST without the first element that is equal to ELEMENT."
  (cond ((null? list) '())
        ((equal? (car list) element) (cdr list))
        (else (cons (car list) (without (cdr list) element)))))

(define (difference list others)
  (if (null? others)
      list
      (difference (without list (car others)) (cdr others))))

(define (replace current old new)
  "Return CURRENT with NEW in place of OLD.  What the program put in front of
OLD stays in front, its other elements come last, and an element of OLD that
it has taken out is not put in again."
  (let loop ((front '()) (rest current))
    (cond ((null? rest)
           (append (difference new (difference old current)) current))
          ((member (car rest) old)
           (append (reverse front)
                   (difference new (difference old current))
                   (difference rest old)))
          (else (loop (cons (car rest) front) (cdr rest))))))

;; What a setting makes of each variable: libguile/load.c,
;; scm_init_load_path and scm_init_load_should_auto_compile.

(define (system-path setting name default)
  (let ((value (value-of setting name)))
    (cond ((not value) default)
          ((string-null? value) '())
          (else (parse-path value)))))

(define (load-path setting)
  (parse-path-with-ellipsis
   (value-of setting "GUILE_LOAD_PATH")
   (system-path setting "GUILE_SYSTEM_PATH"
                (list (%library-dir) (%site-dir) (%global-site-dir)
                      (%package-data-dir)))))

(define (load-compiled-path setting)
  (parse-path-with-ellipsis
   (value-of setting "GUILE_LOAD_COMPILED_PATH")
   (system-path setting "GUILE_SYSTEM_COMPILED_PATH"
                (list (assq-ref %guile-build-info 'ccachedir)
                      (%site-ccache-dir)))))

(define (auto-compile setting)
  "Return a pair: compile, and compile what is compiled already."
  (let ((value (or (value-of setting "GUILE_AUTO_COMPILE") "")))
    (let loop ((options setting)
               (should (not (string=? value "0")))
               (fresh (string-prefix? "fresh" value)))
      (cond ((null? options) (cons should fresh))
            ((string=? (car options) "--auto-compile")
             (loop (cdr options) #t fresh))
            ((string=? (car options) "--fresh-auto-compile")
             (loop (cdr options) #t #t))
            ((string=? (car options) "--no-auto-compile")
             (loop (cdr options) #f fresh))
            (else (loop (cdr options) should fresh))))))

;; The last part is the version of the compiled code, which only libguile
;; knows: taken from what it made.
(define cache-folder
  (and %compile-fallback-path
       (string-append "guile/ccache/" (basename %compile-fallback-path))))

(define (home)
  (false-if-exception (passwd:dir (getpwuid (getuid)))))

(define (compile-fallback-path setting)
  (let ((cache (or (value-of setting "XDG_CACHE_HOME")
                   (let ((home (or (value-of setting "HOME") (home))))
                     (and home (string-append home "/.cache"))))))
    (and cache cache-folder (string-append cache "/" cache-folder))))

;; How GUILE_WARN_DEPRECATED is read when it is not set was decided when
;; Guile was built.
(define (warns?)
  (and (memq 'warn-deprecated (debug-options)) #t))

(define warns-by-default?
  (and (not (getenv "GUILE_WARN_DEPRECATED")) (warns?)))

(define (warn-deprecated? setting)
  (let ((value (value-of setting "GUILE_WARN_DEPRECATED")))
    (if value
        (string=? value "detailed")
        warns-by-default?)))

;; (system foreign-library) reads its variables when it is loaded.

(define (search-path setting name default)
  (let ((value (value-of setting name)))
    (cond ((not value) default)
          ((string-null? value) '())
          (else (string-split value #\:)))))

(define extension-paths
  `((guile-extensions-path "GUILE_EXTENSIONS_PATH")
    (ltdl-library-path "LTDL_LIBRARY_PATH")
    (guile-system-extensions-path
     "GUILE_SYSTEM_EXTENSIONS_PATH"
     ,(assq-ref %guile-build-info 'libdir)
     ,(assq-ref %guile-build-info 'extensiondir))))

(define (follow-extensions old new)
  (let ((module (resolve-module '(system foreign-library) #f #:ensure #f)))
    (define (follow-one parameter name . default)
      (let ((path (module-ref module parameter)))
        (path (replace (path) (search-path old name default)
                       (search-path new name default)))))
    (if module
        (for-each (lambda (entry) (apply follow-one entry))
                  extension-paths))))

(define (follow old new)
  "Replace what came from the setting OLD by what comes from NEW."
  (set! %load-path
        (replace (difference %load-path (arguments old "-L"))
                 (load-path old) (load-path new)))
  (set! %load-compiled-path
        (replace (difference %load-compiled-path (arguments old "-C"))
                 (load-compiled-path old) (load-compiled-path new)))
  (set! %load-extensions (difference %load-extensions (arguments old "-x")))
  (let ((now (auto-compile new)))
    (cond ((equal? (auto-compile old)
                   (cons %load-should-auto-compile %fresh-auto-compile))
           (set! %load-should-auto-compile (car now))
           (set! %fresh-auto-compile (cdr now)))))
  (if (equal? %compile-fallback-path (compile-fallback-path old))
      (set! %compile-fallback-path (compile-fallback-path new)))
  (if (eq? (warns?) (warn-deprecated? old))
      (if (warn-deprecated? new)
          (debug-enable 'warn-deprecated)
          (debug-disable 'warn-deprecated)))
  (follow-extensions old new))
