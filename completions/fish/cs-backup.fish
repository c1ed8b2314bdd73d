# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-backup for fish.

complete -c cs-backup -l force \
  -d 'Replace FILE if it exists'
complete -c cs-backup -l level -x -a '1 2 3 4 5 6 7 8 9' \
  -d 'Compress from 1 (fast, the default) to 9 (small)'
complete -c cs-backup -s o -l output -r -F \
  -d 'Write to FILE, not to standard output'
complete -c cs-backup -l since -r -F \
  -d 'Leave out what has not changed since a generation, or since a backup'
complete -c cs-backup -s q -l quiet \
  -d 'Print errors only'
complete -c cs-backup -s v -l verbose \
  -d 'Print what is done'
complete -c cs-backup -s h -l help \
  -d 'Print this help and exit'
complete -c cs-backup -s V -l version \
  -d 'Print the version and exit'
