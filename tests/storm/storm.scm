;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; storm.scm -- what the workspace of a storm does in each of its lives.
;;;
;;; Part of the workspace's memory; tests/storm/run calls (live ...) once in
;;; each life and (check ...) after it.  Each thread repeats one kind of work
;;; and counts its steps in a slot.  A checkpoint stops threads wherever they
;;; are, so a slot in an image may be in the middle of a step; but what the
;;; thread wrote later cannot be there without what it wrote before.

(use-modules (coldstore) (ice-9 threads) (ice-9 popen) (ice-9 rdelim)
             (ice-9 regex) (ice-9 iconv) (ice-9 ftw) (ice-9 futures)
             (oop goops) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-9)
             (system base compile) (system foreign) (system foreign-library))

(define-syntax-rule (ensure test)
  (unless test (error "storm: not so:" 'test)))

(define (name-of . parts)
  (string-join (map (lambda (part) (format #f "~a" part)) parts) "."))

;; A variable on a page of its own.
(define (make-cell value) (make-vector 1000 value))
(define (cell-ref cell) (vector-ref cell 0))
(define (cell-set! cell value) (vector-set! cell 0 value))

;;; Slots.  After step N all of them have the value that N gives.  They are
;;; written in this order: begun, list, length, sum, table, last, done.

(define-record-type <slot>
  (make-slot begun list length sum table last done)
  slot?
  (begun slot-begun)
  (list slot-list)
  (length slot-length)
  (sum slot-sum)
  (table slot-table)
  (last slot-last)
  (done slot-done))

(define (new-slot)
  (make-slot (make-cell 0) (make-cell '()) (make-cell 0) (make-cell 0)
             (make-hash-table) (make-cell 0) (make-cell 0)))

(define slots (make-vector 16 #f))
(define kept (make-vector 16 '()))      ; by slot, what kinds of work keep
(define steps-of-slot 500)              ; then there is a new one
(define table-size 16)

(define (kept-ref slot kind default)
  (or (assq-ref (vector-ref kept slot) kind) default))

(define (kept-set! slot kind value)
  (vector-set! kept slot
               (acons kind value (alist-delete kind (vector-ref kept slot)))))

(define (step! slot n work)
  (cell-set! (slot-begun slot) n)
  (work)
  (cell-set! (slot-list slot) (cons n (cell-ref (slot-list slot))))
  (cell-set! (slot-length slot) n)
  (cell-set! (slot-sum slot) (+ n (cell-ref (slot-sum slot))))
  (hash-set! (slot-table slot) (modulo n table-size) n)
  (cell-set! (slot-last slot) n)
  (cell-set! (slot-done slot) n))

;; The step that the list has come to, if it is as it must be.
(define (list-step list)
  (let ((n (length list)))
    (ensure (equal? list (iota n n -1)))
    n))

(define (sum-step sum n)
  (find (lambda (n) (= sum (/ (* n (1+ n)) 2))) (list n (1- n))))

(define (table-step table n)
  (find (lambda (n)
          (every (lambda (m) (eqv? m (hash-ref table (modulo m table-size))))
                 (iota (min n table-size) n -1)))
        (list n (1- n))))

(define (slot-steps slot)
  (let ((n (cell-ref (slot-begun slot))))
    (list n
          (list-step (cell-ref (slot-list slot)))
          (cell-ref (slot-length slot))
          (sum-step (cell-ref (slot-sum slot)) n)
          (table-step (slot-table slot) n)
          (cell-ref (slot-last slot))
          (cell-ref (slot-done slot)))))

(define (check-slot slot)
  (let ((steps (slot-steps slot)))
    (unless (and (every integer? steps)
                 (apply >= steps)
                 (<= (- (first steps) (last steps)) 1))
      (error "storm: a slot is torn:" steps))))

;;; What threads share.  Whoever holds the lock says so in `moving`, and takes
;;; it back last.

(define lock (make-mutex))
(define moving (make-cell 0))
(define left (make-cell 1000))
(define right (make-cell 1000))

(define (move! n)
  (with-mutex lock
    (cell-set! moving n)
    (cell-set! left (- (cell-ref left) n))
    (cell-set! right (+ (cell-ref right) n))
    (ensure (= 2000 (+ (cell-ref left) (cell-ref right))))
    (cell-set! moving 0)))

(define (check-moved)
  (let ((sum (+ (cell-ref left) (cell-ref right))))
    (unless (memv sum (list 2000 (- 2000 (cell-ref moving))))
      (error "storm: what is shared is torn:" sum (cell-ref moving)))))

(define queue-lock (make-mutex))
(define queue-filled (make-condition-variable))
(define queue-busy (make-cell #f))
(define queue '())
(define put (make-cell 0))
(define taken (make-cell 0))

(define (put! x)
  (with-mutex queue-lock
    (cell-set! queue-busy #t)
    (set! queue (cons x queue))
    (cell-set! put (1+ (cell-ref put)))
    (cell-set! queue-busy #f)
    (signal-condition-variable queue-filled)))

(define (soon microseconds)
  (let ((at (+ (cdr (gettimeofday)) microseconds)))
    (cons (+ (car (gettimeofday)) (quotient at 1000000))
          (remainder at 1000000))))

(define (take!)
  (with-mutex queue-lock
    (when (or (pair? queue)
              (wait-condition-variable queue-filled queue-lock (soon 20000)))
      (cell-set! queue-busy #t)
      (unless (null? queue)
        (set! queue (cdr queue))
        (cell-set! taken (1+ (cell-ref taken))))
      (cell-set! queue-busy #f))))

(define (queue-right?)
  (= (length queue) (- (cell-ref put) (cell-ref taken))))

(define (check-queue)
  (unless (or (cell-ref queue-busy) (queue-right?))
    (error "storm: the queue is torn:" (length queue) (cell-ref put)
           (cell-ref taken))))

(define weak (make-weak-key-hash-table))

;;; Kinds of work.  Each gets the number of its slot and of its step.

(define kinds '())

(define-syntax-rule (define-kind (name slot n) body ...)
  (set! kinds (acons 'name (lambda (slot n) body ...) kinds)))

(define (now-and-then n k) (zero? (modulo n k)))

(define-kind (port slot n)
  (let ((name (name-of "port" slot)))
    (call-with-output-file name (lambda (port) (write n port)))
    (ensure (eqv? n (call-with-input-file name read)))
    (close (open-file "/dev/null" "r+"))
    ;; One that is lost: the collector closes it.
    (when (now-and-then n 8) (open-input-file name))))

;; A port that lives on: what it has written has no gap, whatever process
;; wrote it.  A file that a process has left in the middle of a step is not
;; gone on with.

(define lines 40)

(define (line step) (format #f "line ~a\n" step))

(define (log-name slot step) (name-of "log" slot (quotient step lines)))

(define (log! slot step port)
  (kept-set! slot 'log (list step port #t))
  (display (line step) port)
  (when (= (modulo step lines) (1- lines))
    (close port)
    (ensure (equal? (call-with-input-file (log-name slot step) read-string)
                    (string-concatenate
                     (map line (iota lines (- step lines -1)))))))
  (kept-set! slot 'log (list (1+ step) port #f)))

(define (log-entry slot)
  (let* ((entry (kept-ref slot 'log (list 0 #f #f)))
         (step (first entry)))
    (if (third entry)
        (list (* lines (1+ (quotient step lines))) #f)
        (list-head entry 2))))

(define-kind (log slot n)
  (let* ((entry (log-entry slot)) (step (first entry)))
    (log! slot step (if (zero? (modulo step lines))
                        (open-output-file (log-name slot step))
                        (second entry)))))

(define-kind (text slot n)
  (ensure (equal? (number->string n)
                  (with-output-to-string (lambda () (write n)))))
  (ensure (= n (with-input-from-string (number->string n) read))))

(define-kind (pipe slot n)
  (let ((ends (pipe)))
    (write n (cdr ends))
    (newline (cdr ends))
    (force-output (cdr ends))
    (ensure (eqv? n (read (car ends))))
    (close (cdr ends))
    (close (car ends))))

;; A handler of the program's ends connect, in plain guile 3.0.8, too (EINTR).
;; The connection is made all the same, and select tells when (connect(2)).
(define (connect! socket address)
  (catch 'system-error
    (lambda () (connect socket address))
    (lambda arguments
      (unless (= EINTR (system-error-errno arguments))
        (apply throw arguments))
      (let wait ()
        (when (null? (second (select '() (list socket) '() 1))) (wait))))))

(define-kind (socket slot n)
  (let* ((pair (socketpair PF_UNIX SOCK_STREAM 0))
         (server (socket PF_INET SOCK_STREAM 0))
         (client (socket PF_INET SOCK_STREAM 0)))
    (write-line n (car pair))
    (ensure (eqv? n (read (cdr pair))))
    (bind server AF_INET INADDR_LOOPBACK 0)
    (listen server 1)
    (connect! client (getsockname server))
    (let ((peer (car (accept server))))
      (write-line n peer)
      (ensure (eqv? n (read client)))
      (for-each close (list peer client server (car pair) (cdr pair))))))

(define-kind (process slot n)
  (if (now-and-then n 2)
      (ensure (= 3 (status:exit-val (system* "sh" "-c" "exit 3"))))
      (let ((port (open-input-pipe (format #f "echo ~a" n))))
        (ensure (eqv? n (read port)))
        (close-pipe port))))

(define-kind (fork slot n)
  (let ((pid (parameterize ((current-warning-port (%make-void-port "w")))
               (primitive-fork))))
    (if (zero? pid) (primitive-_exit 3))
    (ensure (= 3 (status:exit-val (cdr (waitpid pid)))))))

;; The child of a process with many threads executes something at once.
;; Left out unless STORM_KINDS asks for it: libguile encodes the name, and where
;; another thread had libc's lock of conversions at the fork, the child waits for
;; ever in iconv_open (__gconv_lock, glibc 2.36).  A child of plain guile 3.0.8
;; hung there, too.
(define-kind (exec slot n)
  (let ((pid (parameterize ((current-warning-port (%make-void-port "w")))
               (primitive-fork))))
    (when (zero? pid)
      (catch #t
        (lambda () (execlp "sh" "sh" "-c" "exit 4"))
        (lambda _ (primitive-_exit 5))))
    (ensure (= 4 (status:exit-val (cdr (waitpid pid)))))))

(define-kind (system slot n)
  (ensure (= 6 (status:exit-val (system "exit 6")))))

(define-kind (compile slot n)
  (ensure (= (+ n 1) ((compile `(lambda (x) (+ x ,n)) #:env (current-module))
                      1))))

(define-kind (eval slot n)
  (let ((module (make-fresh-user-module)))
    (eval `(define (f x) (if (zero? x) ,n (f (- x 1)))) module)
    (ensure (= n (eval '(f 100) module)))))

(define-kind (loop slot n)
  (ensure (= 20000 (let loop ((i 0)) (if (< i 20000) (loop (1+ i)) i)))))

(define-kind (regexp slot n)
  (let ((match (string-match "([0-9]+)-([a-z]*)" (format #f "~a-end" n))))
    (ensure (string=? (match:substring match 1) (number->string n)))
    (ensure (string=? (match:substring match 2) "end"))))

(define-kind (mutex slot n)
  (do ((i 0 (1+ i))) ((= i 100))
    (move! (- (modulo (+ n i) 7) 3))))

(define-kind (condition slot n)
  (if (odd? (+ slot n)) (put! n) (take!)))

(define-kind (async slot n)
  (let ((seen #f))
    (system-async-mark (lambda () (set! seen n)) (current-thread))
    (let wait () (unless (eqv? seen n) (wait)))
    ;; One that has ended since takes none.
    (for-each (lambda (thread)
                (false-if-exception
                 (system-async-mark (lambda () (make-list 10)) thread)))
              (all-threads))))

(define sort-in-c
  (pointer->procedure void (foreign-library-pointer #f "qsort")
                      (list '* size_t size_t '*)))

(define (compare-bytes a b)
  (- (bytevector-u8-ref (pointer->bytevector a 1) 0)
     (bytevector-u8-ref (pointer->bytevector b 1) 0)))

(define first-callback (procedure->pointer int compare-bytes '(* *)))

(define-kind (callback slot n)
  (let ((bytes (u8-list->bytevector (iota 20 20 -1)))
        (callback (if (now-and-then n 2)
                      first-callback
                      (procedure->pointer int (lambda (a b) (compare-bytes a b))
                                          '(* *)))))
    (sort-in-c (bytevector->pointer bytes) 20 1 callback)
    (ensure (equal? (bytevector->u8-list bytes) (iota 20 1)))))

(define-kind (library slot n)
  (let ((absolute (foreign-library-function #f "abs" #:return-type int
                                            #:arg-types (list int))))
    (ensure (= n (absolute (- n))))
    (when (now-and-then n 8) (load-foreign-library "libz.so.1"))))

(define-kind (guardian slot n)
  (let ((guardian (kept-ref slot 'guardian (make-guardian))))
    (guardian (list n))
    (kept-set! slot 'guardian guardian)
    (when (now-and-then n 50) (gc))
    (let drain ((object (guardian)))
      (when object
        (ensure (integer? (car object)))
        (drain (guardian))))))

(define-kind (weak slot n)
  (let ((key (list n)))
    (hashq-set! weak key n)
    (ensure (eq? (string->symbol (name-of "symbol" n))
                 (string->symbol (name-of "symbol" n))))
    (ensure (eqv? n (hashq-ref weak key)))))

(define-kind (dup slot n)
  (let* ((port (open-file "/dev/null" "r"))
         (again (duplicate-port port "r"))
         (number (dup->fdes port)))
    (ensure (eof-object? (read-char again)))
    (close port)
    (close again)
    (close-fdes number)))

(define libraries
  '((srfi srfi-19) (srfi srfi-41) (ice-9 pretty-print) (srfi srfi-64) (sxml simple)
    (web uri) (web client) (ice-9 getopt-long) (language tree-il) (srfi srfi-171)
    (texinfo) (rnrs) (ice-9 textual-ports) (srfi srfi-43) (ice-9 peg)))

(define-kind (module slot n)
  (let ((name (name-of "module" slot))
        (module (string->symbol (name-of "part" slot n))))
    (call-with-output-file name
      (lambda (port)
        (write `(define-module (storm ,module) #:export (value)) port)
        (write `(define value ,n) port)))
    (save-module-excursion (lambda () (primitive-load name)))
    (ensure (= n (module-ref (resolve-interface `(storm ,module)) 'value)))
    (when (now-and-then n 5)
      (resolve-interface
       (list-ref libraries (modulo (+ slot (quotient n 5))
                                   (length libraries)))))))

(define-kind (encoding slot n)
  (let ((text (format #f "\xe9\u20ac ~a" n)))
    (for-each
     (lambda (encoding)
       (ensure (equal? text (bytevector->string
                             (string->bytevector text encoding) encoding))))
     '("UTF-8" "UTF-16" "UTF-32LE"))
    (let ((port (open-output-file (name-of "wide" slot) #:encoding "UTF-16")))
      (display text port)
      (close port))))

(define-kind (memory slot n)
  (let ((numbers (iota 3000)) (bytes (make-bytevector 200000 (modulo n 256))))
    (ensure (= (bytevector-u8-ref bytes 199999) (modulo n 256)))
    (ensure (= 4498500 (apply + numbers)))
    (when (now-and-then n 100) (gc))))

(define-kind (bignum slot n)
  (let ((power (expt 3 (+ 200 (modulo n 500)))))
    (ensure (= 1 (/ power power)))
    (ensure (= power (string->number (number->string power))))
    (kept-set! slot 'bignum power)))

(define-kind (thread slot n)
  (ensure (= n (join-thread (call-with-new-thread (lambda () n)))))
  (when (now-and-then n 4)
    (let ((thread (call-with-new-thread (lambda () (sleep 100)))))
      (cancel-thread thread)
      (join-thread thread))))

;; Left out unless STORM_KINDS asks for it: par-map in threads has crashed plain
;; guile 3.0.8, too, in one of 60 runs (and in none of 160 others).
(define-kind (future slot n)
  (ensure (equal? (list n (+ n 1)) (par-map 1+ (list (- n 1) n)))))

(define-kind (directory slot n)
  (let ((stream (opendir ".")))
    (ensure (string? (readdir stream)))
    (closedir stream)
    (ensure (member "s.store" (scandir ".")))))

(define-kind (sleep slot n)
  (if (now-and-then n 2)
      (usleep 2000)
      (select '() '() '() 0 2000)))

(define signals 0)

(define-kind (signal slot n)
  (sigaction SIGUSR2 (lambda (number) (set! signals (1+ signals))))
  (kill (getpid) SIGUSR2)
  (usleep 100))

(define-kind (alarm slot n)
  (sigaction SIGALRM (lambda (number) (set! signals (1+ signals))))
  (setitimer ITIMER_REAL 0 0 0 1000)
  (usleep 1500))

;; A continuation that is entered again in later processes.
(define-kind (prompt slot n)
  (define (count from)
    (abort-to-prompt 'storm from)
    (count (1+ from)))
  (let ((entry (kept-ref slot 'prompt (cons -1 (lambda () (count 0))))))
    (call-with-prompt 'storm (cdr entry)
      (lambda (next value)
        (ensure (= value (1+ (car entry))))
        (kept-set! slot 'prompt (cons value next))))))

(define-class <thing> () (value #:init-keyword #:value #:accessor value-of))
(define-method (twice (thing <thing>)) (* 2 (value-of thing)))

(define classes-lock (make-mutex))

(define-kind (goops slot n)
  (ensure (= (* 2 n) (twice (make <thing> #:value n))))
  ;; Guile's classes are not made for two threads that define some: four
  ;; threads that do so in plain guile 3.0.8 ended in "No applicable method" in 8
  ;; of 8 runs.
  (when (now-and-then n 20)
    (with-mutex classes-lock
      (let ((class (make <class> #:dsupers (list <thing>) #:name 'sub)))
        (ensure (= (* 2 n) (twice (make class #:value n))))))))

(define fluid (make-fluid 0))
(define parameter (make-parameter 0))

(define-kind (fluid slot n)
  (with-fluids ((fluid n))
    (parameterize ((parameter (1+ n)))
      (ensure (= n (fluid-ref fluid) (1- (parameter)))))))

(define-kind (exception slot n)
  (ensure (= n (catch 'storm
                 (lambda () (throw 'storm n))
                 (lambda (key n) n))))
  (ensure (not (false-if-exception (car n)))))

;; What checkpoint! has returned for is never lost: the file says what that was.
(define-kind (checkpoint slot n)
  (let ((count (1+ (kept-ref slot 'checkpoint 0)))
        (name (name-of "saved" slot)))
    (kept-set! slot 'checkpoint count)
    (checkpoint!)
    (call-with-output-file (name-of name "new")
      (lambda (port) (write count port)))
    (rename-file (name-of name "new") name)))

(define (check-saved slot)
  (let ((name (name-of "saved" slot)))
    (when (file-exists? name)
      (let ((saved (call-with-input-file name read))
            (here (kept-ref slot 'checkpoint 0)))
        (when (< here saved)
          (error "storm: a checkpoint is lost:" slot here saved))))))

;;; Lives.

(define life 0)

(define (report-and-end kind)
  (lambda (key . arguments)
    (let ((port (current-error-port)))
      (format port "storm: ~a failed\n" kind)
      (display-backtrace (make-stack #t) port)
      (print-exception port #f key arguments)
      (force-output port)
      (primitive-_exit 99))))

(define (work slot kind more?)
  (let ((work (assq-ref kinds kind)))
    (let loop ((n 1))
      (when (more?)
        (when (= n 1) (vector-set! slots slot (new-slot)))
        (step! (vector-ref slots slot) n (lambda () (work slot n)))
        (loop (if (= n steps-of-slot) 1 (1+ n)))))))

(define (work-or-end slot kind more?)
  (catch #t
    (lambda () (work slot kind more?))
    (lambda _ (primitive-_exit 99))
    (report-and-end kind)))

(define (begin-life number)
  (set! life number)
  (vector-fill! slots #f)
  (cell-set! left (- 2000 (cell-ref right)))
  (cell-set! moving 0)
  (cell-set! put (+ (cell-ref taken) (length queue)))
  (cell-set! queue-busy #f))

(define (after milliseconds)
  (let ((end (+ (get-internal-real-time)
                (* milliseconds
                   (quotient internal-time-units-per-second 1000)))))
    (lambda () (< (get-internal-real-time) end))))

;; Live life NUMBER: work of KIND on this thread, of KINDS on others, for some
;; time if END is one that the program itself brings about.
(define (live number end milliseconds kind . kinds)
  (define more? (if (memq end '(exit thread error rollback))
                    (after milliseconds)
                    (lambda () #t)))
  (begin-life number)
  (for-each (lambda (slot kind)
              (call-with-new-thread
               (lambda () (work-or-end slot kind (lambda () #t)))))
            (iota (length kinds) 1) kinds)
  (display "begun\n")
  (force-output)
  (work-or-end 0 kind more?)
  (case end
    ((exit) (exit 0))
    ((error) (error "the end"))
    ((rollback) (rollback! '(primitive-exit 7)))
    ((thread)
     (call-with-new-thread (lambda () (primitive-exit 5)))
     ;; A signal ends a sleep.
     (let wait () (sleep 1000) (wait)))))

;; After a life: nothing is torn, and what had been saved is there.
(define (check number)
  (gc)
  (unless (>= life number) (error "storm: a life is lost:" life number))
  (for-each (lambda (slot) (if slot (check-slot slot))) (vector->list slots))
  (for-each check-saved (iota 16))
  (check-moved)
  (check-queue)
  (with-mutex lock #t)
  (with-mutex queue-lock #t)
  (hash-for-each (lambda (key value) (ensure (eqv? (car key) value))) weak))
