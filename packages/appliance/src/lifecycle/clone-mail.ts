import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { mailHost } from '../config/clone.ts'
import { MAIL_FILE, type Mail, parseMail } from '../mail/mail.ts'
import { MAIL_KEY_FILE } from '../runtime/isolation.ts'
import type { Appliance } from './appliance.ts'
import { readClone } from './clone-records.ts'
import { unknownClone } from './clones.ts'
import { cloneMailFolder } from './isolation.ts'
import { hostUrl } from './public-url.ts'

export interface CloneMailReport {
  /** Opens the page of the mails in a browser; null while the clone does not run. Who has it reads them. */
  readonly url: string | null
  /** The newest first. */
  readonly mails: readonly Mail[]
}

/**
 * What a clone wanted to send: all of it, or the one mail `id`.
 * @throws AppError CLONE_UNKNOWN, MAIL_UNKNOWN
 */
export async function reportCloneMail(
  appliance: Appliance,
  clone: string,
  id?: string,
): Promise<CloneMailReport> {
  const { ports, stateFolder, config, runtime } = appliance
  const { files } = ports
  if (!(await readClone(files, stateFolder, clone))) throw await unknownClone(appliance, clone)
  const folder = cloneMailFolder(stateFolder, clone)
  // Links are passed over: the folder belongs to the user that services run as.
  const kept = ((await files.list(folder)) ?? []).filter(({ kind }) => kind === 'file')
  const ids = kept.flatMap(({ name }) => MAIL_FILE.exec(name)?.[1] ?? []).toReversed()
  const wanted = id === undefined ? ids : ids.filter((each) => each === id)
  if (id !== undefined && wanted.length === 0) {
    throw new AppError('MAIL_UNKNOWN', {
      what: 'No mail was shown',
      why: `${clone} has no mail ${id}`,
      next: `caretaker clone mail ${clone}`,
    })
  }
  const mails: Mail[] = []
  for (const each of wanted) mails.push(await parseMail(each, await files.read(join(folder, `${each}.eml`))))
  const runs = (await runtime.cell(clone)) !== undefined
  const hasKey = kept.some(({ name }) => name === MAIL_KEY_FILE)
  const key = runs && hasKey ? await files.readText(join(folder, MAIL_KEY_FILE)) : undefined
  const entry = config.applications[clone]
  const url = key === undefined || !entry ? null : `${hostUrl(appliance, mailHost(entry))}/?key=${key}`
  return { url, mails }
}
