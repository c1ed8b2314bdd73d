;; SPDX-License-Identifier: LGPL-3.0-or-later
;; json.scm EXPR -- read one JSON text from standard input, strictly (RFC
;; 8259), and print what EXPR is for each of the following:
;;
;;   d              the text: objects are association lists under the key
;;                  `object`, arrays are vectors, null is the symbol null
;;   (ref x k ...)  member or element of x, of that one, ...
;;   (keys x)       the names of an object's members, in order
;;   (find x k v)   the element of array x whose member k is v
;;
;; Anything after the text, and a member that is there twice, is an error.

(define (fail what)
  (format (current-error-port) "json: ~a at ~a:~a~%" what
          (port-line (current-input-port))
          (port-column (current-input-port)))
  (exit 1))

(define (blanks)
  (when (memv (peek-char) '(#\space #\newline #\tab #\return))
    (read-char)
    (blanks)))

(define (expect c)
  (blanks)
  (unless (eqv? (read-char) c)
    (fail (list 'expected c))))

(define (next? c)
  (blanks)
  (and (eqv? (peek-char) c) (read-char) #t))

(define (read-escape)
  (let ((c (read-char)))
    (case c
      ((#\" #\\ #\/) c)
      ((#\n) #\newline)
      ((#\t) #\tab)
      ((#\r) #\return)
      ((#\b) #\backspace)
      ((#\f) #\page)
      ((#\u) (let* ((four (list (read-char) (read-char) (read-char)
                                (read-char)))
                    (n (string->number (list->string four) 16)))
               (if n (integer->char n) (fail "escape"))))
      (else (fail "escape")))))

(define (read-text)
  (let loop ((chars '()))
    (let ((c (read-char)))
      (cond ((or (eof-object? c) (char<? c #\space)) (fail "string"))
            ((char=? c #\") (reverse-list->string chars))
            ((char=? c #\\) (loop (cons (read-escape) chars)))
            (else (loop (cons c chars)))))))

(define (read-members)
  (if (next? #\})
      '()
      (let loop ((members '()))
        (expect #\")
        (let ((key (read-text)))
          (when (assoc key members)
            (fail (list 'twice key)))
          (expect #\:)
          (let ((members (acons key (read-value) members)))
            (cond ((next? #\,) (blanks) (loop members))
                  (else (expect #\}) (reverse members))))))))

(define (read-elements)
  (if (next? #\])
      '()
      (let loop ((elements (list (read-value))))
        (cond ((next? #\,) (loop (cons (read-value) elements)))
              (else (expect #\]) (reverse elements))))))

(define (read-word)
  (let loop ((chars '()))
    (let ((c (peek-char)))
      (if (and (char? c) (or (char-alphabetic? c) (char-numeric? c)
                             (memv c '(#\- #\+ #\.))))
          (loop (cons (read-char) chars))
          (let ((word (reverse-list->string chars)))
            (cond ((string=? word "true") #t)
                  ((string=? word "false") #f)
                  ((string=? word "null") 'null)
                  ((string->number word))
                  (else (fail (list 'word word)))))))))

(define (read-value)
  (blanks)
  (cond ((next? #\{) (list 'object (read-members)))
        ((next? #\[) (list->vector (read-elements)))
        ((next? #\") (read-text))
        (else (read-word))))

(define (ref x . path)
  (cond ((null? path) x)
        ((vector? x) (apply ref (vector-ref x (car path)) (cdr path)))
        ((assoc (car path) (cadr x))
         => (lambda (member) (apply ref (cdr member) (cdr path))))
        (else (fail (list 'no-member (car path))))))

(define (keys x)
  (map car (cadr x)))

(define (find x key value)
  (let loop ((elements (vector->list x)))
    (cond ((null? elements) (fail (list 'not-found key value)))
          ((equal? (ref (car elements) key) value) (car elements))
          (else (loop (cdr elements))))))

(set-port-encoding! (current-input-port) "UTF-8")
(set-port-encoding! (current-output-port) "UTF-8")
(define d (read-value))
(blanks)
(unless (eof-object? (peek-char))
  (fail "end expected"))
(for-each (lambda (text)
            (write (eval (call-with-input-string text read)
                         (current-module)))
            (newline))
          (cdr (command-line)))
