/** Answers with JSON. */
export function sendJson(response, status, value) {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(`${JSON.stringify(value)}\n`)
}

/** Answers with a page made by `html`. */
export function sendHtml(response, status, page) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(page.toString())
}

/** Sends a browser on with GET after a form. */
export function redirect(response, location) {
  response.writeHead(303, { location })
  response.end()
}

/** True if whoever asks is a program that speaks JSON, not a browser with a form. */
export function wantsJson(request) {
  const accept = request.headers.accept ?? ''
  if (accept.includes('text/html')) return false
  return (
    accept.includes('application/json') ||
    (request.headers['content-type'] ?? '').startsWith('application/json')
  )
}

/** A whole number of a query between `least` and `most`, or `fallback` if it is absent or something else. */
export function numberOf(url, name, fallback, least, most) {
  const text = url.searchParams.get(name) ?? ''
  const value = Number(text)
  return /^\d{1,15}$/.test(text) && value >= least && value <= most ? value : fallback
}
