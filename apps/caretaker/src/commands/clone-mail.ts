import type { CloneMailReport } from '@caretaker/appliance/lifecycle/clone-mail.ts'
import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { oneLine } from '../cli/one-line.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'

type Shown = CloneMailReport & { readonly one: boolean }

export const cloneMail: CommandDefinition = {
  name: 'clone mail',
  summary: 'Show what a clone wanted to send: no mail leaves it.',
  details:
    'A clone hands its mail to a sink (SMTP_URL, and as processes port 25 of its own 127.0.0.1), which delivers nothing. Kept\nare the newest 500, at most 64 MiB, until the clone ends. The link opens the page of the mails: whoever has it reads them.',
  arguments: [
    { name: 'name', description: 'name of the clone, from "caretaker clone list"' },
    { name: 'mail', description: 'one mail, by its id', optional: true },
  ],
  examples: [['caretaker clone mail guestbook-clone-1', 'every mail, and the link to the page']],
  output: [
    ['url', 'text or null', 'opens the page of the mails in a browser; null while the clone does not run'],
    [
      'mails',
      'list',
      'the newest first: id, at, from, to, subject, text, links, attachments (name, type, size_bytes), size_bytes',
    ],
    ['one', 'yes or no', 'whether one mail was asked for'],
  ],
  runs: 'here',
  async handler(call) {
    const { reportCloneMail } = await import('@caretaker/appliance/lifecycle/clone-mail.ts')
    const { appliance } = await openInForceFor(call)
    const [name = '', mail] = call.arguments
    return { data: { ...(await reportCloneMail(appliance, name, mail)), one: mail !== undefined } }
  },
  render: ({ url, mails, one }: Shown, style: Style) => {
    const [mail] = mails
    if (one && mail) {
      const { at, from, to, subject, text, links } = mail
      const head = [`Received ${at}`, `From ${from}`, `To ${to.join(', ')}`, `Subject ${subject}`]
      const lines = [...head, '', ...text.split('\n'), ...(links.length > 0 ? ['', ...links] : [])]
      return lines.map(oneLine).join('\n')
    }
    const list =
      mails.length === 0
        ? 'No mail.'
        : table(
            style,
            ['MAIL', 'FROM', 'TO', 'SUBJECT'],
            mails.map(({ id, from, to, subject }) => [id, from, to.join(', '), subject]),
          )
    return url === null ? list : `${list}\nIn a browser: ${url}`
  },
}
