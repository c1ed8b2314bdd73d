;; SPDX-License-Identifier: LGPL-3.0-or-later
;; json.scm -- the suite of guile-json.
;; package: guile-json
;; needs: (use-modules (json))
;;; suite guile-json -L . tests/test-*.scm
