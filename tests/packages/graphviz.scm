;; SPDX-License-Identifier: LGPL-3.0-or-later
;; graphviz.scm -- graphs laid out.
;; package: libgv-guile
;; needs: (load-extension "/usr/lib/x86_64-linux-gnu/graphviz/guile/libgv_guile" "SWIG_init")
;;; load
(load-extension "/usr/lib/x86_64-linux-gnu/graphviz/guile/libgv_guile" "SWIG_init")
(define (drawn text)
  (let ((g (readstring text)))
    (layout g "dot")
    (let ((out (renderdata g "plain"))) (rm g) out)))
(define kept (readstring "digraph { x -> y }"))
;;; run
(display (drawn "digraph { a -> b; b -> c; a -> c }"))
;;; ended
(nameof kept)
(layout kept "dot")
