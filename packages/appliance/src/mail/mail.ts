import PostalMime, { type Address } from 'postal-mime'

/** What a sink keeps for one clone: beyond it the oldest go. */
export const MAIL_LIMITS = { messages: 500, totalBytes: 64 * 1024 * 1024, messageBytes: 10 * 1024 * 1024 }

/** Names of kept mails: when they came, and a number that makes them different. */
export const MAIL_FILE = /^(\d{8}T\d{9}Z-\d{4})\.eml$/

/** The lines a sink puts before what it was handed, since the envelope is no part of a mail. */
export const ENVELOPE = { from: 'X-Envelope-From', to: 'X-Envelope-To' } as const

/** One mail that a clone wanted to send, as text. */
export interface Mail {
  readonly id: string
  /** ISO 8601 instant at which the sink took it. */
  readonly at: string
  readonly from: string
  /** Everybody it would have gone to, hidden recipients included. */
  readonly to: readonly string[]
  readonly subject: string
  /** Of its text, or of its HTML without the marks. */
  readonly text: string
  /** Addresses that its HTML links to, in order. */
  readonly links: readonly string[]
  readonly attachments: readonly {
    readonly name: string
    readonly type: string
    readonly size_bytes: number
  }[]
  readonly size_bytes: number
}

/** Reads a kept mail. What is no mail at all becomes one with its bytes as text. */
export async function parseMail(id: string, raw: Uint8Array): Promise<Mail> {
  const mail = await PostalMime.parse(raw)
  const header = (name: string) =>
    mail.headers.filter(({ key }) => key === name.toLowerCase()).map(({ value }) => value)
  return {
    id,
    at: instantOf(id),
    from: shown(mail.from) || (header(ENVELOPE.from)[0] ?? ''),
    to: header(ENVELOPE.to),
    subject: mail.subject ?? '',
    text: (mail.text ?? textOf(mail.html ?? '')).trim(),
    links: linksOf(mail.html ?? ''),
    attachments: mail.attachments.map(({ filename, mimeType, content }) => ({
      name: filename ?? 'without a name',
      type: mimeType,
      size_bytes: typeof content === 'string' ? content.length : content.byteLength,
    })),
    size_bytes: raw.byteLength,
  }
}

/** `20261120T163925123Z-0001` → the instant. */
function instantOf(id: string): string {
  return id.replace(/^(....)(..)(..)T(..)(..)(..)(...)Z.*$/, '$1-$2-$3T$4:$5:$6.$7Z')
}

/** The id of the mail that comes at `now` as the `count`th. */
export function mailId(now: Date, count: number): string {
  return `${now.toISOString().replaceAll(/[-:.]/g, '')}-${String(count % 10_000).padStart(4, '0')}`
}

function shown(address: Address | undefined): string {
  if (!address) return ''
  const { name, address: at } = address
  return name && at ? `${name} <${at}>` : (at ?? name)
}

/** The words of an HTML text. Nobody renders the result as HTML. */
function textOf(html: string): string {
  return html
    .replaceAll(/<(style|script|head)\b.*?<\/\1>/gis, ' ')
    .replaceAll(/<(br|\/p|\/div|\/tr|\/h\d|\/li)\b[^>]*>/gi, '\n')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/[ \t]+/g, ' ')
}

function linksOf(html: string): readonly string[] {
  const found = [...html.matchAll(/\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map(([, a, b]) => a ?? b ?? '')
  return [...new Set(found.map((link) => link.replaceAll('&amp;', '&')))].filter((link) =>
    /^https?:\/\//i.test(link),
  )
}
