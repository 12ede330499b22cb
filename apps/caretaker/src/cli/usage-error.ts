import { AppError } from '@caretaker/kernel/errors.ts'
import type { Command, CommanderError } from 'commander'

/** What commander says of a command line it does not understand, as an error of ours. `command` is where it stopped. */
export function usageError(error: CommanderError, command: Command): AppError {
  const typed = nameOf(command)
  if (error.code === 'commander.help') {
    return refused('no command was named', `"${typed} --help" lists the commands, with examples`)
  }
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = more.join(' ').replace(/^\((.*)\)$/, '$1')
  const passes = command.registeredArguments.some((argument) => argument.variadic)
  return refused(
    first.replace(/\.$/, ''),
    [
      ...(suggestion === '' ? [] : [suggestion]),
      ...(passes && error.code === 'commander.unknownOption'
        ? ['Options of the program itself stand after "--".']
        : []),
      `"${typed} --help" shows ${command.commands.length > 0 ? 'the commands' : 'its arguments and options'}, with examples`,
    ].join(' '),
  )
}

const refused = (why: string, next: string) => new AppError('USAGE', { what: 'Nothing was done', why, next })

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()
}
