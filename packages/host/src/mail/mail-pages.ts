import { timingSafeEqual } from 'node:crypto'
import { Readable } from 'node:stream'
import { parseMail } from '@caretaker/appliance/mail/mail.ts'
import { MAIL_CSS, renderMail, renderMails, renderNoKey } from '@caretaker/appliance/mail/mail-page.ts'
import { LOOPBACK } from '@caretaker/appliance/runtime/runtime.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { type HttpServer, type ServedAnswer, type ServedRequest, serveHttp } from '../http-server.ts'
import type { MailBox } from './mail-box.ts'

/** Mails on the first page. */
const SHOWN = 100
const COOKIE = 'caretaker_mail'

/**
 * The mails of a clone for browsers, on a loopback port that the system chooses. Who has no key sees none: mails of a
 * clone let people into it.
 */
export async function serveMailPages(clone: string, box: MailBox, key: string): Promise<HttpServer> {
  return serveHttp({
    at: { host: LOOPBACK, port: 0 },
    bodyLimitBytes: 1024,
    answer: async (request) => {
      const answered = await answer(clone, box, key, request)
      return { ...answered, headers: { ...SAFETY_HEADERS, ...answered.headers } }
    },
  })
}

async function answer(
  clone: string,
  box: MailBox,
  key: string,
  request: ServedRequest,
): Promise<ServedAnswer> {
  const { path, query } = request
  if (request.method !== 'GET') return text(405, 'text/plain', 'This page is only read.\n')
  if (path === '/mail.css') return text(200, 'text/css', MAIL_CSS)
  const given = query.get('key')
  if (given !== null && isSame(given, key)) {
    const cookie = `${COOKIE}=${key}; Path=/; HttpOnly; Secure; SameSite=Lax`
    return { status: 302, headers: { 'set-cookie': cookie, location: '/' }, body: '' }
  }
  if (!isSame(cookieOf(request), key)) return text(403, 'text/html', renderNoKey(clone))
  if (path === '/') {
    const ids = (await box.list()).slice(0, SHOWN)
    const mails = await Promise.all(ids.map((id) => readMail(box, id)))
    return text(
      200,
      'text/html',
      renderMails(
        clone,
        mails.filter((mail) => mail !== undefined),
      ),
    )
  }
  const [, id = '', asFile] = /^\/mail\/([^/.]+)(\.eml)?$/.exec(path) ?? []
  const mail = await readMail(box, id)
  if (!mail) return text(404, 'text/plain', 'There is no such mail.\n')
  if (!asFile) return text(200, 'text/html', renderMail(clone, mail))
  return {
    status: 200,
    headers: {
      'content-type': 'message/rfc822',
      'content-disposition': `attachment; filename="${id}.eml"`,
    },
    body: Readable.from([await box.read(id)]),
  }
}

async function readMail(box: MailBox, id: string) {
  const raw = await box.read(id)
  return raw && parseMail(id, raw)
}

function cookieOf({ headers }: ServedRequest): string {
  const cookies = (headers.cookie ?? '').split(';').map((part) => part.trim())
  return cookies.find((part) => part.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? ''
}

/** Compares in constant time, over hashes so that lengths are the same. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a)), Buffer.from(hashOf(b)))
}

const SAFETY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const

function text(status: number, type: string, body: string): ServedAnswer {
  return { status, headers: { 'content-type': `${type}; charset=utf-8` }, body }
}
