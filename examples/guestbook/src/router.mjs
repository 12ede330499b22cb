import { routes } from './routes.mjs'

/** The handler for a request and the parts of its path, or undefined: `{handle, params}`. HEAD is answered as GET. */
export async function findRoute(method, path) {
  const wanted = method === 'HEAD' ? 'GET' : method
  for (const [routeMethod, pattern, handle] of routes) {
    const match = routeMethod === wanted && pattern.exec(path)
    if (match) return { handle, params: match.slice(1) }
  }
  return undefined
}
