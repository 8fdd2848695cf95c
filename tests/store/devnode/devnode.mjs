// An IPFS node for tests: js-ipfs with the RPC that Kubo speaks, on loopback, with no peers but those it is told to dial.
// Usage: node devnode.mjs REPOSITORY [PORT]. Prints one line of JSON when ready; PORT 0 (or none) takes a free one.
import { create } from 'ipfs-core'
import { HttpApi } from 'ipfs-http-server'

const [repo, port = '0'] = process.argv.slice(2)
const ipfs = await create({
  repo,
  silent: true,
  preload: { enabled: false },
  init: { algorithm: 'Ed25519', profiles: ['test'], emptyRepo: true },
  config: {
    Addresses: { Swarm: ['/ip4/127.0.0.1/tcp/0'], API: `/ip4/127.0.0.1/tcp/${port}`, Gateway: '', Delegates: [] },
    Bootstrap: [],
    Discovery: { MDNS: { Enabled: false }, webRTCStar: { Enabled: false } },
    Pubsub: { Enabled: false }
  }
})
const api = new HttpApi(ipfs)
await api.start()
const { addresses } = await ipfs.id()
console.log(JSON.stringify({ rpc: api.apiAddr.toString(), swarm: addresses.map(String) }))

// A request that its client gives up leaves a rejected promise behind, which would end the process.
process.on('unhandledRejection', () => {})

const stop = async () => {
  await api.stop()
  await ipfs.stop()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
