;; SPDX-License-Identifier: LGPL-3.0-or-later
;; zstd.scm -- the suite of guile-zstd.
;; package: guile-zstd
;; needs: (use-modules (zstd))
;;; suite guile-zstd -s tests/*.scm
