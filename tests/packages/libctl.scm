;; SPDX-License-Identifier: LGPL-3.0-or-later
;; libctl.scm -- classes, objects and numbers of control files.
;; package: libctl7
;; needs: (primitive-load "/usr/share/libctl/base/include.scm")
;;; load
(primitive-load "/usr/share/libctl/base/include.scm")
(include "/usr/share/libctl/base/ctl.scm")
(define-class thing no-parent (define-property size 1 'number) (define-property at no-default 'vector3))
(define-input-var things '() (make-list-type 'thing))
(set! things (list (make thing (at (vector3 1 2 3)))))
;;; run
(write (map (lambda (t) (object-property-value t (quote at))) things))
(write (unit-vector3 (vector3 3 4 0)))
(write (minimize (lambda (x) (* (- x 2) (- x 2))) 1e-3))
