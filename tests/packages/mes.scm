;; SPDX-License-Identifier: LGPL-3.0-or-later
;; mes.scm -- a C compiler in Scheme.
;; package: mes
;; needs: (use-modules (mescc mescc))
;;; commands
-c '(call-with-output-file "f.c" (lambda (p) (display "int f (int a) { return a * 2 + 1; }" p)))'
--no-auto-compile -e main -s /usr/bin/mescc.scm -E -o f.E f.c
--no-auto-compile -e main -s /usr/bin/mescc.scm -S -o f.s f.c
-c '(use-modules (ice-9 textual-ports)) (display (call-with-input-file "f.s" get-string-all))'
--no-auto-compile -e main -s /usr/bin/mescc.scm --version
--no-auto-compile -e main -s /usr/bin/mescc.scm -S -o x.s missing.c
