# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-inspect for fish.

complete -c cs-inspect -l apply \
  -d 'Put the commits of the log into the image, and cut the log off'
complete -c cs-inspect -l check \
  -d 'Check all that can be checked without the interpreter'
complete -c cs-inspect -l diff -x \
  -d 'Print what has grown from generation A to B (default: the newest)'
complete -c cs-inspect -l files \
  -d 'Print the files and other descriptors that were open'
complete -c cs-inspect -l heap \
  -d 'Print the ranges of memory that are in use'
complete -c cs-inspect -l history \
  -d 'Print the generations that are kept, and what was told at resumes'
complete -c cs-inspect -l json \
  -d 'Print as JSON'
complete -c cs-inspect -l libraries \
  -d 'Print the libraries: carried, opened at run time, needed'
complete -c cs-inspect -l modules \
  -d 'Print the modules'
complete -c cs-inspect -l repair \
  -d 'Make a damaged store anew from its newest generation that is whole'
complete -c cs-inspect -l roots \
  -d 'Print where the garbage collector begins'
complete -c cs-inspect -l symbols \
  -d 'Print the interned symbols'
complete -c cs-inspect -l threads \
  -d 'Print the threads of the last checkpoint, and where each was'
complete -c cs-inspect -l verify-heap \
  -d 'Check that each pointer of each object leads to an object'
complete -c cs-inspect -s q -l quiet \
  -d 'Print errors only'
complete -c cs-inspect -s v -l verbose \
  -d 'Print what is done'
complete -c cs-inspect -s h -l help \
  -d 'Print this help and exit'
complete -c cs-inspect -s V -l version \
  -d 'Print the version and exit'
