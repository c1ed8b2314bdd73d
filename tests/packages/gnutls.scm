;; SPDX-License-Identifier: LGPL-3.0-or-later
;; gnutls.scm -- the suite of GnuTLS's modules, but for premature-termination.scm,
;; whose two processes print in any order.
;; package: guile-gnutls
;; needs: (use-modules (gnutls))
;;; suite guile-gnutls -L guile/modules guile/tests/*[!n].scm
