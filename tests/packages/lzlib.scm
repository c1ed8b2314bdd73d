;; SPDX-License-Identifier: LGPL-3.0-or-later
;; lzlib.scm -- streams packed and unpacked.
;; package: guile-lzlib
;; needs: (use-modules (lzlib))
;;; load
(use-modules (lzlib) (rnrs bytevectors) (ice-9 binary-ports))
(define text (string->utf8 (make-string 30000 #\b)))
(define (pack text)
  (call-with-output-bytevector
   (lambda (out) (call-with-lzip-output-port out (lambda (port) (put-bytevector port text))))))
(define (unpack bytes)
  (call-with-lzip-input-port (open-bytevector-input-port bytes) get-bytevector-all))
(define (call-with-output-bytevector f)
  (call-with-values open-bytevector-output-port
    (lambda (port get) (f port) (get))))
(define packed (pack text))
;;; run
(write (list (equal? packed (pack text)) (equal? text (unpack packed)) (bytevector-length packed)))
