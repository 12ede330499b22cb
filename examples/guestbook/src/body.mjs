import { Busboy } from '@fastify/busboy'
import { HttpError } from './http-error.mjs'

const MAX_FILE_BYTES = 1024 ** 3
const MAX_FIELD_BYTES = 64 * 1024

/** The JSON object of a request's body of at most `limit` bytes. */
export async function readJson(request, limit) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > limit) throw new HttpError(413, `The body may have ${limit} bytes at most`)
    chunks.push(chunk)
  }
  let value
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new HttpError(400, 'The body is not JSON')
  }
  if (value === null || typeof value !== 'object') throw new HttpError(400, 'The body is not a JSON object')
  return value
}

/**
 * The fields of a form, and its file if one was chosen: `{fields, upload?: {file, fileName, mediaType}}`. The file is
 * streamed into the store as it arrives and durable when this returns. Nothing stays if the request breaks off.
 */
export function readForm(request, store) {
  return new Promise((resolve, reject) => {
    const fields = {}
    let receiving
    let incoming
    let form
    try {
      form = new Busboy({
        headers: request.headers,
        limits: { files: 1, fields: 10, fieldSize: MAX_FIELD_BYTES, fileSize: MAX_FILE_BYTES },
      })
    } catch {
      reject(new HttpError(415, 'Send a form, or JSON with content-type application/json'))
      return
    }
    const fail = (error) => {
      request.unpipe(form)
      request.resume()
      incoming?.destroy(error)
      const undone = receiving
        ? receiving.then(({ file }) => store.remove(file)).catch(() => undefined)
        : undefined
      void Promise.resolve(undone).then(() => reject(error))
    }
    form.on('field', (name, value) => {
      fields[name] = value
    })
    form.on('file', (_field, stream, fileName, _encoding, mediaType) => {
      if (!fileName) {
        stream.resume()
        return
      }
      incoming = stream
      receiving = store.receive(stream).then((file) => ({ file, fileName, mediaType }))
      receiving.catch(fail)
    })
    form.on('error', () => fail(new HttpError(400, 'The form is damaged')))
    form.on('finish', () => {
      if (incoming?.truncated) fail(new HttpError(413, `A file may have ${MAX_FILE_BYTES} bytes at most`))
      else Promise.resolve(receiving).then((upload) => resolve({ fields, upload }), reject)
    })
    request.on('error', () => fail(new HttpError(400, 'The request broke off')))
    request.pipe(form)
  })
}
