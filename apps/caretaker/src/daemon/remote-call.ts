import { AppError } from '@caretaker/kernel/errors.ts'
import type { RemoteCall } from './client.ts'

const MOST_ARGUMENTS = 1000

/** Reads the body of a call of the command line. @throws AppError USAGE when it is not one */
export function parseRemoteCall(text: string): RemoteCall {
  const call = parseJson(text)
  if (!isObject(call)) throw refused('it is not a JSON object')
  const { arguments: words, options, user, working_folder } = call
  const isList = Array.isArray(words) && words.every((word) => typeof word === 'string')
  if (!isList || words.length > MOST_ARGUMENTS) {
    throw refused(`"arguments" is not a list of at most ${MOST_ARGUMENTS} texts`)
  }
  if (!isObject(options)) throw refused('"options" is not an object')
  if (!isText(user, 200)) throw refused('"user" is not a text of at most 200 characters')
  if (!isText(working_folder, 4096)) {
    throw refused('"working_folder" is not a text of at most 4096 characters')
  }
  return { arguments: words, options, user, working_folder }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw refused('it is not JSON')
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.length <= longest

function refused(why: string): AppError {
  return new AppError('USAGE', {
    what: 'The daemon did nothing',
    why: `it does not understand the call: ${why}`,
    next: 'The command line and the daemon may be of different versions: restart the daemon',
  })
}
