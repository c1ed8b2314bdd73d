;; SPDX-License-Identifier: LGPL-3.0-or-later
;; gcrypt.scm -- the suite of guile-gcrypt.
;; package: guile-gcrypt
;; needs: (use-modules (gcrypt hash))
;;; suite guile-gcrypt -s tests/*.scm
