import { split } from 'shlex'

/** A command as the compose specification reads it: a list as it is, a text taken apart like a shell would, without one. */
export function wordsOf(command: readonly string[] | string): readonly string[] {
  return typeof command === 'string' ? split(command) : command
}
