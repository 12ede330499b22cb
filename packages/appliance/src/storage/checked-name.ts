import { AppError } from '@caretaker/kernel/errors.ts'
import { isName } from '@caretaker/kernel/ids.ts'

/**
 * The name itself, when it can stand in a path.
 * @throws AppError NAME_INVALID
 */
export function checkedName(kind: 'application' | 'snapshot', name: string): string {
  if (isName(name)) return name
  throw new AppError('NAME_INVALID', {
    what: `"${name}" cannot name ${kind === 'application' ? 'an application' : 'a snapshot'}`,
    why: 'a name has 1 to 40 characters a-z, 0-9 and -, begins with a letter and does not end with -',
    next: 'Choose another name',
  })
}
