#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# run.sh -- what make bench calls.
exec bash "$(dirname "$0")/run" "$@"
