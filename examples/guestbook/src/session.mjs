import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const COOKIE = 'guestbook'
const ONE_YEAR_S = 365 * 24 * 3600

/** Signed visitor ids: the cookie is `id.signature`, made with the secret session key. */
export function openSessions(key, secure) {
  const sign = (id) => createHmac('sha256', key).update(id).digest('base64url')
  return {
    /** The visitor of a Cookie header, or undefined if there is none or its signature is not ours. */
    visitorOf(header = '') {
      const pair = header
        .split(';')
        .map((each) => each.trim())
        .find((each) => each.startsWith(`${COOKIE}=`))
      const [id, signature] = pair?.slice(COOKIE.length + 1).split('.') ?? []
      if (!id || !signature) return undefined
      const given = Buffer.from(signature)
      const wanted = Buffer.from(sign(id))
      return given.length === wanted.length && timingSafeEqual(given, wanted) ? id : undefined
    },
    newVisitor: () => randomBytes(16).toString('base64url'),
    cookieFor(id) {
      const flags = `Path=/; Max-Age=${ONE_YEAR_S}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
      return `${COOKIE}=${id}.${sign(id)}; ${flags}`
    },
  }
}
