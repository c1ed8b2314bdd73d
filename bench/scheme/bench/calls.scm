;; SPDX-License-Identifier: LGPL-3.0-or-later
;; calls.scm -- calls, arithmetic, closures and dispatch; little garbage.
(define-module (bench calls)
  #:export (run))

(define (fib n)
  (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))

(define (tak x y z)
  (if (< y x)
      (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y))
      z))

(define (queens n)
  (define (safe? row distance placed)
    (or (null? placed)
        (and (not (= (car placed) (+ row distance)))
             (not (= (car placed) (- row distance)))
             (not (= (car placed) row))
             (safe? row (+ distance 1) (cdr placed)))))
  (define (count column placed)
    (if (= column n)
        1
        (let loop ((row 0) (sum 0))
          (if (= row n)
              sum
              (loop (+ row 1)
                    (if (safe? row 1 placed)
                        (+ sum (count (+ column 1) (cons row placed)))
                        sum))))))
  (count 0 '()))

(define (apply-all n)
  (define procedures
    (vector (lambda (x) (+ x 1)) (lambda (x) (* x 2)) abs 1+ identity))
  (let loop ((i 0) (x 0))
    (if (= i n)
        x
        (loop (+ i 1)
              (modulo ((vector-ref procedures (modulo i 5)) x) 1000003)))))

(define (run n)
  (let loop ((i 0) (last #f))
    (if (= i n)
        last
        (loop (+ i 1)
              (list (fib 30) (tak 22 14 6) (queens 10) (apply-all 400000))))))
