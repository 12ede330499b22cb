import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAIL_LIMITS, parseMail } from '@caretaker/appliance/mail/mail.ts'
import { createTransport } from 'nodemailer'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MailBox } from './mail-box.ts'
import { MailSink } from './mail-sink.ts'

let folder: string
let box: MailBox
let front: Server
let port: number
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caretaker-mail-'))
  box = new MailBox(folder)
  const sink = new MailSink(box)
  // As in a cell: somebody else has taken the connection.
  front = createServer({ pauseOnConnect: true }, (client) => sink.serve(client))
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  port = (front.address() as { port: number }).port
})
afterEach(async () => {
  front.close()
  await rm(folder, { recursive: true })
})

const send = (mail: Record<string, unknown>, auth?: { user: string; pass: string }) =>
  createTransport({ host: '127.0.0.1', port, ...(auth ? { auth } : {}) }).sendMail({
    from: 'Shop <shop@example.test>',
    to: 'ada@example.test',
    ...mail,
  })
const kept = async () =>
  Promise.all((await box.list()).map(async (id) => parseMail(id, (await box.read(id)) ?? new Uint8Array())))

it('keeps mails with all who would have got them, whatever password they come with', async () => {
  await send({
    subject: 'Grüße',
    text: 'häppy',
    bcc: 'boss@example.test',
    attachments: [{ filename: 'a.txt', content: 'x' }],
  })
  await send({ subject: 'second', html: '<p>two</p>' }, { user: 'someone', pass: 'wrong' })
  expect(await kept()).toMatchObject([
    { subject: 'second', text: 'two' },
    {
      subject: 'Grüße',
      text: 'häppy',
      from: 'Shop <shop@example.test>',
      to: ['ada@example.test', 'boss@example.test'],
      attachments: [{ name: 'a.txt' }],
    },
  ])
})

it('refuses a mail that is too large, and says so', async () => {
  const text = 'x'.repeat(MAIL_LIMITS.messageBytes + 1)
  await expect(send({ subject: 'big', text })).rejects.toMatchObject({ responseCode: 552 })
  expect(await kept()).toEqual([])
})

it('keeps so many, the newest', async () => {
  const content = Buffer.from('Subject: x\r\n\r\nx')
  for (let count = 0; count < MAIL_LIMITS.messages + 5; count++) await box.add({ from: 'a', to: [] }, content)
  const ids = await box.list()
  expect(ids).toHaveLength(MAIL_LIMITS.messages)
  await box.add({ from: 'newest', to: [] }, content)
  expect((await kept())[0]?.from).toBe('newest')
  expect((await box.list()).at(-1)).toBe(ids.at(-2))
})
