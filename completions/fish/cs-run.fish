# SPDX-License-Identifier: LGPL-3.0-or-later
# Completion of cs-run for fish: its own options up to the store; what
# comes after it is for Guile, so files.

# Is the word before the store?
function __cs_run_own
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if contains -- $word --changed-files --checkpoint-every \
          --generation --history --save --stack-size --bundle --from --libguile \
          --policy --reserve --table
            set skip 1
        else if not string match -q -- '-*' $word
            return 1
        end
    end
    return 0
end

complete -c cs-run -n __cs_run_own -l beside \
  -d 'Find STORE in the directory of the script'
complete -c cs-run -n __cs_run_own -l changed-files -x \
  -a 'reopen reopen-at-end close fail' \
  -d 'For ports on files that are not the same any more'
complete -c cs-run -n __cs_run_own -l checkpoint-every -x \
  -a '10s 1m 10m 1h' -d 'Save again and again while Guile runs'
complete -c cs-run -n __cs_run_own -l create \
  -d 'Make STORE first if it does not exist'
complete -c cs-run -n __cs_run_own -l ephemeral \
  -d 'Take no lock and never write to STORE'
complete -c cs-run -n __cs_run_own -l generation -x \
  -d 'Run an older generation; implies --ephemeral'
complete -c cs-run -n __cs_run_own -l history -x -a '0 8 30 100' \
  -d 'Keep so many older generations from now on'
complete -c cs-run -n __cs_run_own -l no-hooks \
  -d 'Run none of the hooks of the workspace'
complete -c cs-run -n __cs_run_own -l no-save \
  -d 'Leave without a checkpoint'
complete -c cs-run -n __cs_run_own -l save -x \
  -a 'success always never ask' \
  -d 'At the end of this run, save: success, always, never or ask'
complete -c cs-run -n __cs_run_own -l stack-size -x -a '8M 64M 512M' \
  -d 'Stack of the thread that runs Guile, e.g. 64M'
complete -c cs-run -n __cs_run_own -l wait \
  -d 'Wait for another process that holds STORE'
complete -c cs-run -n __cs_run_own -l bundle -x -a 'all libraries none' \
  -d 'Carry Guile\'s modules and libraries (all), libraries, or none'
complete -c cs-run -n __cs_run_own -l from -r -F \
  -d 'Start with the contents of another store, or of backups'
complete -c cs-run -n __cs_run_own -l libguile -r -F \
  -d 'Take the interpreter from FILE, not the system\'s'
complete -c cs-run -n __cs_run_own -l policy -r -F \
  -d 'Use the policy in FILE, not the built-in one'
complete -c cs-run -n __cs_run_own -l reserve -x -a '1G 64G 256G' \
  -d 'Reserve this much address space, e.g. 64G'
complete -c cs-run -n __cs_run_own -l table -r -F \
  -d 'Use a trampoline table made by cs-intern'
complete -c cs-run -n __cs_run_own -s q -l quiet \
  -d 'Print errors only'
complete -c cs-run -n __cs_run_own -s v -l verbose \
  -d 'Print what is done'
complete -c cs-run -n __cs_run_own -s h -l help \
  -d 'Print this help and exit'
complete -c cs-run -n __cs_run_own -s V -l version \
  -d 'Print the version and exit'
