/** This release waits for a cache that nothing ever fills: this is where release 5 breaks. */
export async function healthOf() {
  return { ok: false, reason: 'the cache of visitors is still being filled' }
}
