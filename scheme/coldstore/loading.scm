;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (coldstore loading) -- modules whose loading has ended with its process.
;;;
;;; Part of every workspace: it is evaluated when the store is made, and called
;;; by libcs/guile/loading.c.  What is taken from (guile) by name is there
;;; since Guile 3.0.0 (module/ice-9/boot-9.scm, try-module-autoload).

(define-module (coldstore loading))

(define in-progress (module-variable the-root-module 'autoloads-in-progress))

;; Of ("ice-9/" . "match"), as the list has it: (ice-9 match).
(define (name-of entry)
  (map string->symbol
       (string-split (string-append (car entry) (cdr entry)) #\/)))

;; Guile loads a module that has no public interface.  Other modules may use
;; the old interface already, when modules use each other in a circle: it
;; leads to what the new one exports.
(define (unload! module)
  (let ((old (module-public-interface module)))
    (when old
      (set-module-public-interface! module #f)
      (unless (eq? old module)
        (set-module-binder! old
                            (lambda (old name define?)
                              (let ((new (module-public-interface module)))
                                (and new (module-variable new name)))))))))

;; Called in a process that has resumed while modules are said to be loaded.
;; Returns their names as strings, outermost first.
(define (abandon!)
  (let ((names (map name-of (reverse (variable-ref in-progress)))))
    (variable-set! in-progress '())
    (for-each (lambda (name)
                (let ((module (resolve-module name #f #:ensure #f)))
                  (when module
                    (unload! module))))
              names)
    (map object->string names)))
