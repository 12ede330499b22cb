import type { CommandDefinition } from '../cli/definition.ts'

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_caretaker() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [ \${#COMPREPLY[@]} -eq 0 ] && compopt -o default
}
complete -F _caretaker caretaker ./caretaker`,
  zsh: `#compdef caretaker
_caretaker() {
  local -a found
  found=(\${(f)"$("\${words[1]}" complete -- "\${words[@]:1:$((CURRENT-1))}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
compdef _caretaker caretaker ./caretaker`,
  fish: `complete -c caretaker -a '(caretaker complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
}

export const completion: CommandDefinition = {
  name: 'completion',
  summary: 'Print the completion script for a shell.',
  arguments: [{ name: 'shell', description: 'bash, zsh or fish' }],
  examples: [
    ['source <(caretaker completion bash)', 'for this bash'],
    ['caretaker completion fish > ~/.config/fish/completions/caretaker.fish', 'for every fish'],
  ],
  output: [['script', 'text', 'the script']],
  runs: 'here',
  async handler(call) {
    const shell = call.arguments[0] ?? ''
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script !== undefined) return { data: { script } }
    const { AppError } = await import('@caretaker/kernel/errors.ts')
    throw new AppError('USAGE', {
      what: 'No script was printed',
      why: `there is none for "${shell}"`,
      next: 'caretaker completion bash, zsh or fish',
    })
  },
  render: (data: { script: string }) => data.script,
}

/** Called by the completion scripts with the words typed so far; prints what may come next. */
export const complete: CommandDefinition = {
  name: 'complete',
  summary: 'Print what may follow the words typed so far (for the completion scripts).',
  arguments: [{ name: 'words', description: 'the words after "caretaker"', variadic: true, optional: true }],
  examples: [['caretaker complete -- app re', 'remove, restart']],
  output: [['words', 'list of text', 'what may come next']],
  runs: 'here',
  hidden: true,
  async handler(call) {
    const { COMMANDS } = await import('./all.ts')
    const { nextWords } = await import('../cli/next-words.ts')
    const apps = async () => {
      const { listAppRecords } = await import('@caretaker/appliance/lifecycle/app-records.ts')
      return listAppRecords(call.ports.files, `${call.places.stateFolder}/apps`)
    }
    return { data: { words: await nextWords(COMMANDS, call.arguments, apps) } }
  },
  render: (data: { words: readonly string[] }) => data.words.join('\n'),
}
