;; SPDX-License-Identifier: LGPL-3.0-or-later
;; mcron.scm -- jobs and when they run next.
;; package: mcron
;; needs: (begin (add-to-load-path "/usr/share") (use-modules (mcron core)))
;;; load
(add-to-load-path "/usr/share")
(use-modules (mcron job-specifier) (mcron core) (mcron vixie-specification))
(set-configuration-time 1000000)
(job '(next-hour '(3)) (lambda () (display "ran")) "three o'clock")
(read-vixie-port (open-input-string "5 4 * * 0 echo sunday\n*/10 * * * * echo ten\n"))
;;; run
(display (get-schedule 3))
(set-configuration-time 2000000)
(job '(next-day) "echo day")
(display (get-schedule 8))
