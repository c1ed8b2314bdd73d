;; SPDX-License-Identifier: LGPL-3.0-or-later
;; sqlite3.scm -- the suite of guile-sqlite3.
;; package: guile-sqlite3
;; needs: (use-modules (sqlite3))
;;; suite guile-sqlite3 -s tests/*.scm
