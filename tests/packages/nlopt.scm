;; SPDX-License-Identifier: LGPL-3.0-or-later
;; nlopt.scm -- minima of functions in Scheme, called by the library.
;; package: libnlopt-guile0
;; needs: (use-modules (nlopt))
;;; load
(use-modules (nlopt))
(define (square x grad)
  (let ((a (- (vector-ref x 0) 3)) (b (vector-ref x 1)))
    (if grad
        (begin (vector-set! grad 0 (* 2 a)) (vector-set! grad 1 (* 2 b))))
    (+ (* a a) (* b b))))
(define (prepared)
  (let ((opt (new-nlopt-opt NLOPT-LN-COBYLA 2)))
    (nlopt-opt-set-min-objective opt square)
    (nlopt-opt-set-xtol-rel opt 1e-4)
    opt))
(define kept (prepared))
;;; run
(write (let ((opt (prepared)))
         (list (nlopt-opt-get-dimension opt) (nlopt-opt-get-algorithm-name opt)
               (nlopt-opt-optimize opt #(1 1)) (nlopt-opt-last-optimum-value opt))))
;;; ended
(nlopt-opt-get-dimension kept)
(nlopt-opt-optimize kept #(1 1))
