import { expect, it } from 'vitest'
import { MAIL_FILE, mailId, parseMail } from './mail.ts'

const mail = (...lines: readonly string[]) =>
  parseMail('20261120T163925123Z-0001', new TextEncoder().encode(lines.join('\r\n')))

it('tells from whom, to whom, what about and what', async () => {
  const read = await mail(
    'X-Envelope-From: shop@example.test',
    'X-Envelope-To: ada@example.test',
    'X-Envelope-To: hidden@example.test',
    'From: =?utf-8?q?Caf=C3=A9?= <shop@example.test>',
    'To: ada@example.test',
    'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
    '',
    'Hello Ada',
  )
  expect(read).toMatchObject({
    at: '2026-11-20T16:39:25.123Z',
    from: 'Café <shop@example.test>',
    to: ['ada@example.test', 'hidden@example.test'],
    subject: 'Grüße',
    text: 'Hello Ada',
    attachments: [],
  })
})

it('gives the words and links of HTML alone, and what is attached by name', async () => {
  const read = await mail(
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<style>p{}</style><p>Reset &lt;it&gt;:</p><a href="https://x.test/?a=1&amp;b=2">here</a><a href="javascript:alert(1)">no</a>',
    '--b',
    'Content-Type: text/csv; name=a.csv',
    'Content-Disposition: attachment; filename=a.csv',
    '',
    '1,2',
    '--b--',
  )
  expect(read.text).toMatch(/^Reset <it>:\s+here/)
  expect(read.links).toEqual(['https://x.test/?a=1&b=2'])
  expect(read.attachments).toMatchObject([{ name: 'a.csv', type: 'text/csv' }])
})

it('reads what is no mail at all', async () => {
  expect(await mail('\u0000\u0001')).toMatchObject({ from: '', to: [], subject: '' })
})

it('names files in the order they came', () => {
  const [first, second] = [
    mailId(new Date('2026-11-20T16:39:25.123Z'), 9999),
    mailId(new Date('2026-11-20T16:39:25.124Z'), 10_000),
  ]
  expect(MAIL_FILE.test(`${first}.eml`)).toBe(true)
  expect([second, first].toSorted()).toEqual([first, second])
})
