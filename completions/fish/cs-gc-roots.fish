# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-gc-roots for fish.

complete -c cs-gc-roots -l json \
  -d 'Print as JSON'
complete -c cs-gc-roots -l retained \
  -d 'Print what keeps the most memory alive alone'
complete -c cs-gc-roots -l to -r \
  -d 'Write a graph for dot(1) to FILE too'
complete -c cs-gc-roots -l unreachable \
  -d 'Print what nothing keeps, by type'
complete -c cs-gc-roots -l why -x \
  -d 'Print the shortest paths from roots to the value of EXPR'
complete -c cs-gc-roots -s q -l quiet \
  -d 'Print errors only'
complete -c cs-gc-roots -s v -l verbose \
  -d 'Print what is done'
complete -c cs-gc-roots -s h -l help \
  -d 'Print this help and exit'
complete -c cs-gc-roots -s V -l version \
  -d 'Print the version and exit'
