;; SPDX-License-Identifier: LGPL-3.0-or-later
;; garbage.scm -- trees, strings, tables and closures made and dropped; the
;; collector's benchmark.
(define-module (bench garbage)
  #:use-module (system foreign)
  #:export (run grow with-room roomy))

(define (make-tree depth)
  (if (zero? depth)
      '()
      (cons (make-tree (- depth 1)) (make-tree (- depth 1)))))

(define (count tree)
  (if (null? tree) 1 (+ (count (car tree)) (count (cdr tree)))))

(define (short-lived n)
  (let loop ((i 0) (sum 0))
    (if (= i n) sum (loop (+ i 1) (+ sum (count (make-tree 8)))))))

(define (strings n)
  (let loop ((i 0) (sum 0))
    (if (= i n)
        sum
        (loop (+ i 1)
              (+ sum (string-length (string-append (number->string i)
                                                   (make-string 50 #\x))))))))

(define (table n)
  (let ((h (make-hash-table)))
    (let loop ((i 0))
      (if (< i n)
          (begin
            (hashv-set! h i (vector i (list i) (lambda () i)))
            (loop (+ i 1)))
          (hash-count (lambda (k v) #t) h)))))

(define (one-round)
  (list (short-lived 1000) (strings 50000) (table 50000)))

;; What lives stays the same, so all rounds depend on the one size that the
;; heap happens to come to.
(define (run n)
  (let ((long-lived (make-tree 17)))
    (let loop ((i 0) (last #f))
      (if (= i n)
          (cons (count long-lived) last)
          (loop (+ i 1) (one-round))))))

;; Each round leaves 40,000 pairs behind, so that the heap goes through many
;; sizes.
(define (grow n)
  (let ((long-lived (make-tree 17)))
    (let loop ((i 0) (kept '()) (last #f))
      (if (= i n)
          (list (count long-lived) (length kept) last)
          (loop (+ i 1) (cons (iota 40000) kept) (one-round))))))

;; As `run', in a heap that was made larger by BYTES before.
(define (with-room bytes n)
  (let ((expand (pointer->procedure int
                                    (dynamic-func "GC_expand_hp" (dynamic-link))
                                    (list size_t))))
    (expand bytes)
    (run n)))

;; So large that the collector does not enlarge it: it runs equally often in
;; both.
(define (roomy n)
  (with-room (* 40 1024 1024) n))
