# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-create for fish.

complete -c cs-create -l bundle -x -a 'all libraries none' \
  -d 'Carry Guile\'s modules and libraries (all), libraries, or none'
complete -c cs-create -l force \
  -d 'Replace STORE if it exists'
complete -c cs-create -l from -r -F \
  -d 'Start with the contents of another store, or of backups'
complete -c cs-create -l history -x -a '0 8 30 100' \
  -d 'Keep so many older generations (8)'
complete -c cs-create -l libguile -r -F \
  -d 'Take the interpreter from FILE, not the system\'s'
complete -c cs-create -l policy -r -F \
  -d 'Use the policy in FILE, not the built-in one'
complete -c cs-create -l reserve -x -a '4G 16G 64G 256G' \
  -d 'Reserve this much address space, e.g. 64G'
complete -c cs-create -l save -x -a 'success always never ask' \
  -d 'At the end of a run, save: success, always, never or ask'
complete -c cs-create -l table -r -F \
  -d 'Use a trampoline table made by cs-intern'
complete -c cs-create -s q -l quiet \
  -d 'Print errors only'
complete -c cs-create -s v -l verbose \
  -d 'Print what is done'
complete -c cs-create -s h -l help \
  -d 'Print this help and exit'
complete -c cs-create -s V -l version \
  -d 'Print the version and exit'
