;; SPDX-License-Identifier: LGPL-3.0-or-later
;; semver.scm -- versions and ranges of them.
;; package: guile-semver
;; needs: (use-modules (semver))
;;; load
(use-modules (semver) (semver ranges))
(define old (string->semver "1.2.3-rc1"))
(define range (string->semver-range "^1.2.0"))
;;; run
(write (list old (semver<? old (string->semver "1.2.3"))
             (semver-range-contains? range (string->semver "1.9.9"))
             (semver-range-contains? range (string->semver "2.0.0"))
             (semver->string old)))
;;; suite guile-semver -L . tests/*.scm
