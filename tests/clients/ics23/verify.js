// Reads cases from stdin (see cases.py), verifies each with the stock verifier, prints {"accepted", "refused"}.
// Exit status 1 when a true proof is refused or a forged one accepted.
const { ics23, verifyMembership, verifyNonMembership, tendermintSpec } = require("@confio/ics23");

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const decode = (hex) => ics23.CommitmentProof.decode(bytes(hex));

let accepted = 0;
let refused = 0;

function expect(verdict, isTrue, what) {
  if (verdict !== isTrue) {
    console.error(`${isTrue ? "refused a true proof" : "accepted a forged proof"}: ${JSON.stringify(what)}`);
    process.exitCode = 1;
  }
  verdict ? accepted++ : refused++;
}

const cases = JSON.parse(require("fs").readFileSync(0));
for (const one of cases) {
  const [entry, store] = one.proofs.map(decode);
  const [key, storeRoot, appHash] = [one.key, one.store_root, one.app_hash].map(bytes);
  const name = Uint8Array.from(Buffer.from(one.store_name));
  expect(verifyMembership(store, tendermintSpec, appHash, name, storeRoot), true, one);
  expect(verifyMembership(store, tendermintSpec, storeRoot, name, storeRoot), false, one);
  if (one.value === null) {
    expect(verifyNonMembership(entry, tendermintSpec, storeRoot, key), true, one);
    expect(verifyNonMembership(entry, tendermintSpec, appHash, key), false, one);
  } else {
    expect(verifyMembership(entry, tendermintSpec, storeRoot, key, bytes(one.value)), true, one);
    expect(verifyMembership(entry, tendermintSpec, storeRoot, key, bytes(one.value + "00")), false, one);
    expect(verifyNonMembership(entry, tendermintSpec, storeRoot, key), false, one);
  }
}
console.log(JSON.stringify({ cases: cases.length, accepted, refused }));
