# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-intern for fish.

complete -c cs-intern -l check \
  -d 'Write nothing; with --store, report what its symbols would bind to'
complete -c cs-intern -l json \
  -d 'Print the list or the report as JSON'
complete -c cs-intern -l list \
  -d 'Print the symbols that the policy interns'
complete -c cs-intern -s o -l output -r -F \
  -d 'Write the table to TABLE (default: the first library\'s soname + .cst)'
complete -c cs-intern -l policy -r -F \
  -d 'Use the policy in FILE, not the built-in one'
complete -c cs-intern -l store -r -F \
  -d 'Add the symbols to STORE instead of writing a table'
complete -c cs-intern -s q -l quiet \
  -d 'Print errors only'
complete -c cs-intern -s v -l verbose \
  -d 'Print what is done'
complete -c cs-intern -s h -l help \
  -d 'Print this help and exit'
complete -c cs-intern -s V -l version \
  -d 'Print the version and exit'
