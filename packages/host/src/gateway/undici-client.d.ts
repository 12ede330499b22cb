/** undici's client without the rest of undici (fetch, caches, websockets): a third of the memory. */
declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici'
}
