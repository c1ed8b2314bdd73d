;; SPDX-License-Identifier: LGPL-3.0-or-later
;; cairo.scm -- pictures: what libcairo made has ended, new ones can be made.
;; package: guile-cairo
;; needs: (use-modules (cairo))
;;; load
(use-modules (cairo))
(define (picture size)
  (let* ((surface (cairo-image-surface-create 'argb32 size size))
         (cr (cairo-create surface)))
    (cairo-set-source-rgb cr 1 0 0.5)
    (cairo-rectangle cr 1 1 (- size 2) (- size 2))
    (cairo-fill cr)
    (cairo-select-font-face cr "serif" 'normal 'bold)
    (cairo-surface-flush surface)
    (list surface cr)))
(define kept (picture 10))
(define matrix (cairo-make-identity-matrix))
(cairo-matrix-translate matrix 2 3)
;;; run
(let ((new (picture 20)))
  (write (list (cairo-surface-get-type (car new))
               (cairo-image-surface-get-width (car new))
               (call-with-values (lambda () (cairo-matrix-transform-point matrix 1 1)) list)
               (cairo-version-string))))
;;; ended
(cairo-image-surface-get-width (car kept))
(cairo-fill (cadr kept))
(cairo-create (car kept))
