import { once } from 'node:events'
import type { Socket } from 'node:net'
import { MAIL_LIMITS } from '@caretaker/appliance/mail/mail.ts'
import { SMTPServer, type SMTPServerAddress, type SMTPServerDataStream } from 'smtp-server'
import { isErrno } from '../errno.ts'
import type { MailBox } from './mail-box.ts'

/** At a time; a clone that opens more waits its turn. */
const MAX_CLIENTS = 50
const MINUTE_MS = 60_000

/**
 * An SMTP server that takes every mail, from everybody, with every password or none, and delivers none of them: they are
 * kept in a box.
 */
export class MailSink {
  readonly #server: SMTPServer

  constructor(box: MailBox) {
    this.#server = new SMTPServer({
      name: 'mail-sink',
      banner: 'nothing leaves this clone',
      authOptional: true,
      allowInsecureAuth: true,
      // There is no certificate that a client would believe, and no wire that somebody could listen to.
      disabledCommands: ['STARTTLS'],
      disableReverseLookup: true,
      maxClients: MAX_CLIENTS,
      socketTimeout: 5 * MINUTE_MS,
      size: MAIL_LIMITS.messageBytes,
      logger: false,
      onAuth: ({ username }, _session, done) => done(null, { user: username ?? 'anybody' }),
      onData: (stream, { envelope }, done) => {
        const to = envelope.rcptTo.map(({ address }) => address)
        const from = addressOf(envelope.mailFrom)
        void report(keep(box, { from, to }, stream), done)
      },
    })
    // A client that goes away in the middle is its own affair.
    this.#server.on('error', () => undefined)
  }

  /** Serves a client that has connected elsewhere. */
  serve(connection: Socket): void {
    this.#server.server.emit('connection', connection)
    connection.resume()
  }

  /** Listens; gives the port, which is `port` where that is to be had. */
  async listen(host: string, port = 0): Promise<number> {
    const server = this.#server.server
    try {
      server.listen(port, host)
      await once(server, 'listening')
    } catch (error) {
      if (port === 0 || !isErrno(error, 'EADDRINUSE')) throw error
      return this.listen(host)
    }
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens on no TCP port')
    return address.port
  }
}

const addressOf = (address: SMTPServerAddress | false) => (address === false ? '' : address.address)

async function report(work: Promise<void>, done: (error?: Error) => void): Promise<void> {
  let failure: Error | undefined
  try {
    await work
  } catch (error) {
    failure = error as Error
  }
  done(failure)
}

async function keep(
  box: MailBox,
  envelope: { readonly from: string; readonly to: readonly string[] },
  stream: SMTPServerDataStream,
): Promise<void> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= MAIL_LIMITS.messageBytes) chunks.push(chunk)
  }
  if (stream.sizeExceeded) {
    throw Object.assign(new Error('the mail is too large for the sink'), { responseCode: 552 })
  }
  await box.add(envelope, Buffer.concat(chunks))
}
