;; SPDX-License-Identifier: LGPL-3.0-or-later
;; evaluator.scm -- not a module: loaded as source, so Guile's evaluator runs
;; it, as it runs what -c and the REPL of an editor are given.
(define (evaluated-fib n)
  (if (< n 2) n (+ (evaluated-fib (- n 1)) (evaluated-fib (- n 2)))))

(define (evaluated-run n)
  (let loop ((i 0) (last #f))
    (if (= i n)
        last
        (loop (+ i 1)
              (list (evaluated-fib 22)
                    (length (map (lambda (x) (cons x x)) (iota 10000))))))))
