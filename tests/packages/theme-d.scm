;; SPDX-License-Identifier: LGPL-3.0-or-later
;; theme-d.scm -- its libraries and run time, with an extension of its own.
;; package: theme-d-rte
;; needs: (use-modules (theme-d runtime runtime-theme-d-environment))
;;; load
(use-modules (th-scheme-utilities stdutils) (th-scheme-utilities hrecord)
             (theme-d runtime runtime-theme-d-environment))
(define-hrecord-type <thing> () name size)
(define thing (make-hrecord <thing> "a" 3))
;;; run
(write (list (hfield-ref thing 'name) (hrecord? thing) (split-string "a:b:c" #\:)))
(hfield-set! thing 'size (+ 1 (hfield-ref thing 'size)))
(write (hfield-ref thing 'size))
;;; commands
-e __main -s /usr/share/theme-d/scripts/run-theme-d-program.scm missing.tcp
